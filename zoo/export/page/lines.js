// Entities that reach over a line break: a wrapped mention, or two lines of a list; as zoo/tagging/lines.py.

import { SPACE, isSpace } from "./writing.js";
import { inOrder, keyOf } from "./windows.js";

const LINE_BREAK = /[\n\r\v\f\x85\u2028\u2029]/;
const BREAK_OF_STRINGS = /[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]/;
const BULLET = new RegExp(`^[${SPACE}]*(?:(?:[-*•·‣◦>#–—]|\\p{Nd}{1,2}[.)])[${SPACE}]+)?`, "u");
const WORD = /[\p{L}\p{N}_]/u;

/** `[start, end)` of the lines that some entity shares with another line, in order. */
export function sharedLines(text, entities) {
  const across = entities.filter(({ start, end }) => text.slice(start, end).some((c) => BREAK_OF_STRINGS.test(c)));
  if (!across.length) return [];
  const lines = [];
  for (let start = 0, place = 0; place <= text.length; place += 1) {
    if (place < text.length && !LINE_BREAK.test(text[place])) continue;
    if (text.slice(start, place).some((c) => !isSpace(c))) lines.push([start, place]);
    start = place + 1;
  }
  // the line that an end stands in counts too
  const last = (entity) => lines.findIndex(([, end]) => end >= entity.end);
  return lines.filter(([, end], k) => across.some((e) => end > e.start && (last(e) < 0 || k <= last(e))));
}

/** Entities, cut at the line breaks between lines of a list; `alone` has those of each line, from its start. */
export function cutAtBreaks(text, entities, lines, alone) {
  const scores = new Map();
  lines.forEach(([from], k) => {
    for (const { start, end, type, score } of alone[k]) {
      scores.set(keyOf({ start: from + start, end: from + end, type }), score);
    }
  });
  const result = new Map();
  const keep = (entity) => { if (!result.has(keyOf(entity))) result.set(keyOf(entity), entity); };
  for (const entity of entities) {
    const groups = [];
    for (const piece of pieces(text, entity, lines, scores)) {
      if (groups.length && !endsBefore(groups.at(-1).at(-1), piece, entity.score)) groups.at(-1).push(piece);
      else groups.push([piece]);
    }
    if (groups.length < 2) keep(entity);
    else {
      for (const group of groups) {
        const score = (group.length === 1 ? group[0].score : undefined) ?? entity.score;
        keep({ ...entity, start: group[0].start, end: group.at(-1).end, score });
      }
    }
  }
  return inOrder([...result.values()]);
}

/** Whether a piece and the one on the next line are two entities. */
function endsBefore(piece, following, wholeScore) {
  if (piece.score === undefined || following.score === undefined || !piece.fillsLine) return false;
  return following.fillsLine || Math.min(piece.score, following.score) > wholeScore;
}

/** The pieces of an entity, bullets and white space at their ends taken off. */
function pieces(text, entity, lines, scores) {
  return lines.flatMap(([from, to]) => {
    const begins = from + Array.from(BULLET.exec(text.slice(from, to).join(""))[0]).length;
    const start = Math.max(begins, entity.start);
    let end = Math.min(to, entity.end);
    while (end > start && isSpace(text[end - 1])) end -= 1;
    if (start >= end) return [];
    const fillsLine = start === begins && !WORD.test(text.slice(end, to).join(""));
    return [{ start, end, fillsLine, score: scores.get(keyOf({ start, end, type: entity.type })) }];
  });
}
