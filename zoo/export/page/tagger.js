// From a text to the entities of a model, as zoo/tagging/tagger.py.

import { cutAtBreaks, sharedLines } from "./lines.js";
import { best, decode, encode, finish, joinHeads } from "./windows.js";
import { codePoints } from "./writing.js";

export class Tagger {
  /**
   * @param wordpiece The tokenizer.
   * @param settings `window_tokens` and `stride_tokens`.
   * @param run Ids of a window and an adapter -> logits, label by label of each token.
   */
  constructor(wordpiece, settings, run) {
    Object.assign(this, { wordpiece, settings, run });
  }

  windows(text) {
    return encode(this.wordpiece, text, this.settings.window_tokens, this.settings.stride_tokens);
  }

  /** The entities of a text by a model; `step` is called before each window. */
  async tag(given, model, step = () => {}) {
    const text = codePoints(given);
    const whole = await this.joined(text, model, step);
    const lines = sharedLines(text, whole);
    if (!lines.length) return whole;
    const alone = [];
    for (const [start, end] of lines) alone.push(await this.joined(text.slice(start, end), model, step));
    return cutAtBreaks(text, whole, lines, alone);
  }

  /** The entities that all windows and heads find together. */
  async joined(text, model, step) {
    const found = model.heads.map(() => []);
    const windows = this.windows(text);
    for (const [k, window] of windows.entries()) {
      await step(k, windows.length);
      const logits = await this.run(window.ids, model);
      model.heads.forEach((head, number) => {
        found[number].push(decode(window, best(window, logits, head), head.labels));
      });
    }
    return joinHeads(found.map((perWindow) => finish(text, perWindow)));
  }
}
