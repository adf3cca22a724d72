// Text to windows of tokens and labels back to spans, as zoo/modeling/windows.py.

import { flat, flatLength, trim } from "./writing.js";

/** Windows of at most `windowTokens`, neighbours sharing `strideTokens`; `tokens` stand for text, offsets as given. */
export function encode(wordpiece, text, windowTokens, strideTokens) {
  const { characters, starts, ends } = flat(text);
  const { before, after } = wordpiece.is;
  const tokens = wordpiece.encode(characters);
  for (const token of tokens) {
    token.start = starts[token.start];
    token.end = ends[token.end - 1];
  }
  const most = windowTokens - before.length - after.length;
  const windows = [];
  for (let first = 0; ; first += most - strideTokens) {
    const own = tokens.slice(first, first + most);
    windows.push({ ids: [...before, ...own.map((token) => token.id), ...after], tokens: own, skip: before.length });
    if (first + most >= tokens.length) return windows;
  }
}

/** The best of a head's labels for each token of a window, and its probability in float32, as Python has it. */
export function best(window, logits, head) {
  const columns = logits.length / window.ids.length;
  return window.tokens.map((_, k) => {
    const own = logits.subarray((window.skip + k) * columns + head.start).subarray(0, head.labels.length);
    let label = 0;
    own.forEach((logit, other) => { if (logit > own[label]) label = other; });
    const sum = own.reduce((total, logit) => total + Math.exp(Math.fround(logit - own[label])), 0);
    return { label, score: Math.fround(1 / Math.fround(sum)) };
  });
}

/** Prefix and type of a label, also of other people's: without a prefix, or bare `B` and `I`. */
function parse(name) {
  if (name === "O") return ["I", ""];
  if (name === "B" || name === "I") return [name, "entity"];
  return /^[BI]-/.test(name) ? [name[0], name.slice(2)] : ["I", name];
}

/** Group the labels of a window into entities: each word has the label of its surest token. */
export function decode(window, labelled, labels) {
  const words = [];
  window.tokens.forEach((token, k) => {
    const word = words.at(-1);
    if (!word || !token.continues) words.push({ start: token.start, end: token.end, ...labelled[k] });
    else {
      word.end = token.end;
      if (labelled[k].score > word.score) Object.assign(word, labelled[k]);
    }
  });
  const entities = [];
  let open = null;
  const close = () => {
    if (open?.type) entities.push({ start: open.start, end: open.end, type: open.type, score: open.sum / open.words });
  };
  for (const word of words) {
    const [prefix, type] = parse(labels[word.label]);
    if (!open || prefix === "B" || type !== open.type) {
      close();
      open = { start: word.start, type, sum: 0, words: 0 };
    }
    open.end = word.end;
    open.sum += word.score;
    open.words += 1;
  }
  close();
  return entities;
}

/** The entities of a text from those of its windows: of two overlapping ones the longer stays, then the surer. */
export function finish(text, perWindow) {
  let entities = perWindow[0];
  if (perWindow.length > 1) {
    const writing = flat(text);
    const length = (entity) => flatLength(writing, entity.start, entity.end);
    entities = [];
    for (const entity of perWindow.flat().sort((a, b) => a.start - b.start)) {
      const last = entities.at(-1);
      if (last && entity.start < last.end) {
        const more = length(entity) - length(last);
        if (more > 0 || (more === 0 && entity.score > last.score)) entities[entities.length - 1] = entity;
      } else entities.push(entity);
    }
  }
  return entities.flatMap((entity) => {
    const borders = trim(text, entity.start, entity.end);
    return borders ? [{ ...entity, start: borders[0], end: borders[1] }] : [];
  });
}

/** What two entities must share to be the same. */
export const keyOf = ({ start, end, type }) => `${start} ${end} ${type}`;

/** Entities by their start, of those that begin together the longest first. */
export const inOrder = (entities) =>
  entities.sort((a, b) => a.start - b.start || b.end - a.end || (a.type < b.type ? -1 : Number(a.type > b.type)));

/** The entities of a text from those that each head found: nested ones stay; of the same one the surest. */
export function joinHeads(perHead) {
  if (perHead.length === 1) return perHead[0];
  const found = new Map();
  for (const entity of perHead.flat()) {
    const same = found.get(keyOf(entity));
    if (!same || entity.score > same.score) found.set(keyOf(entity), entity);
  }
  return inOrder([...found.values()]);
}
