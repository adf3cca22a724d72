// A tokenizer of BERT's kind with exact offsets; what it makes of each character is in tokenizer.json.

const HANGUL = /^[\uac00-\ud7a3]$/;

/** Whether a code point is in one of the ranges: an odd number of borders lies below or at it. */
function inside(ranges, code) {
  let low = 0, high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle] <= code) low = middle + 1;
    else high = middle;
  }
  return low % 2 === 1;
}

export class WordPiece {
  constructor(description) {
    this.is = description;
    this.ids = new Map(description.vocabulary.map((token, id) => [token, id]));
    this.written = new Map(Object.entries(description.written));
    this.special = description.special.map((token) => Array.from(token)).sort((a, b) => b.length - a.length);
    this.unknown = this.ids.get(description.unknown);
    this.lengths = description.vocabulary.map((token) => Array.from(token).length);
    this.known = new Map(); // character -> what it becomes
  }

  /** Tokens of a text of code points: id, `[start, end)`, and whether it continues the word of the token before. */
  encode(text) {
    const tokens = [];
    let from = 0;
    for (let place = 0; place < text.length; ) {
      const found = this.special.find((token) => token.every((c, k) => text[place + k] === c));
      if (found) {
        this.words(text, from, place, tokens);
        this.add(tokens, this.ids.get(found.join("")), place, place + found.length);
        from = place + found.length;
      }
      place += found ? found.length : 1;
    }
    this.words(text, from, text.length, tokens);
    return tokens;
  }

  add(tokens, id, start, end) {
    // as transformers' pipeline sees it: the token is written otherwise than the text
    tokens.push({ id, start, end, continues: this.lengths[id] !== end - start && id !== this.unknown });
  }

  /** What the tokenizer's normalizer makes of a character. */
  normal(character) {
    let normal = this.known.get(character);
    if (normal === undefined) {
      const code = character.codePointAt(0);
      const { dropped, blank, apart, syllables_decompose: syllables } = this.is;
      if (inside(dropped, code)) normal = "";
      else if (inside(blank, code)) normal = " ";
      else if (inside(apart, code)) normal = ` ${character} `;
      else if (syllables && HANGUL.test(character)) normal = character.normalize("NFD");
      else normal = this.written.get(character) ?? character;
      normal = Array.from(normal);
      this.known.set(character, normal);
    }
    return normal;
  }

  /** Add the tokens of `[from, to)`: words end at blanks, punctuation stands alone. */
  words(text, from, to, tokens) {
    let word = [];
    const close = () => {
      if (word.length) this.pieces(word, tokens);
      word = [];
    };
    for (let place = from; place < to; place += 1) {
      for (const character of this.normal(text[place])) {
        const one = { character, place };
        if (character === " ") close();
        else if (inside(this.is.punctuation, character.codePointAt(0))) {
          close();
          this.pieces([one], tokens);
        } else word.push(one);
      }
    }
    close();
  }

  /** Add the tokens of a word: the longest that the vocabulary has, again and again; or one unknown one. */
  pieces(word, tokens) {
    const found = [];
    for (let start = 0; start < word.length && word.length <= this.is.longest_word; ) {
      let end = word.length, id;
      for (; end > start; end -= 1) {
        const piece = word.slice(start, end).map((c) => c.character).join("");
        id = this.ids.get(start ? this.is.prefix + piece : piece);
        if (id !== undefined) break;
      }
      if (id === undefined) break;
      found.push([id, start, end]);
      start = end;
    }
    const whole = found.at(-1)?.[2] === word.length ? found : [[this.unknown, 0, word.length]];
    for (const [id, start, end] of whole) this.add(tokens, id, word[start].place, word[end - 1].place + 1);
  }
}
