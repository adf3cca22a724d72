// One writing of a text for models, as zoo/language/writing.py. Texts are arrays of code points, offsets count them.

const NO_BREAK = new Set("\u00a0\u2007\u202f");
const INVISIBLE = new Set(
  "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff",
);
const JOINERS = new Set("\u200c\u200d");
const PLAIN_BELOW = 0x590;
const MARK = /^\p{M}$/u;

/** White space as Python has it, for a regular expression. */
export const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANK = new RegExp(`^[${SPACE}]$`);

/** A text as code points; what is half of a pair becomes U+FFFD. */
export const codePoints = (text) => Array.from(text, (c) => (/^[\ud800-\udfff]$/.test(c) ? "\ufffd" : c));

export const isSpace = (character) => BLANK.test(character);
const isMark = (character) => character >= "\u0300" && MARK.test(character);
const isInvisible = (character) => JOINERS.has(character) || INVISIBLE.has(character);
const isBlank = (character) => isSpace(character) || isInvisible(character);
const joins = (character) => isMark(character) || (character >= "\u1160" && character <= "\u11ff");

/**
 * The one writing of a text: NFC, plain spaces, nothing invisible.
 * `starts` and `ends` say where each of its characters begins and ends in the text as given.
 */
export function flat(given) {
  const characters = [], starts = [], ends = [];
  let letters = []; // a base and its marks, each with its place
  const close = () => {
    if (!letters.length) return;
    const written = letters.map(([, c]) => c).join("");
    const composed = written.normalize("NFC");
    const pieces = Array.from(composed);
    characters.push(...pieces);
    if (composed === written) {
      for (const [place] of letters) { starts.push(place); ends.push(place + 1); }
    } else { // it stands for all that it was written with, marks left beside it for nothing more
      const end = letters.at(-1)[0] + 1;
      pieces.forEach((_, k) => { starts.push(k ? end : letters[0][0]); ends.push(end); });
    }
  };
  let previous = 0;
  given.forEach((character, place) => {
    if (INVISIBLE.has(character) || (JOINERS.has(character) && previous < PLAIN_BELOW)) return;
    const plain = NO_BREAK.has(character) ? " " : character;
    previous = plain.codePointAt(0);
    if (!joins(plain) || (letters.length && isSpace(letters.at(-1)[1]))) {
      close();
      letters = [];
    }
    letters.push([place, plain]);
  });
  close();
  return { characters, starts, ends };
}

/** Characters in the one writing of what is given as `[start, end)`. */
export const flatLength = ({ starts }, start, end) => below(starts, end) - below(starts, start);

/** How many of the sorted numbers are smaller. */
function below(sorted, limit) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Borders of what is written in `[start, end)`: no blanks at the ends, no letter cut from its marks; null: nothing is. */
export function trim(text, start, end) {
  while (start < end && (isBlank(text[start]) || isMark(text[start]))) start += 1;
  while (start < end && isBlank(text[end - 1])) end -= 1;
  if (start === end) return null;
  for (let place = end; place < text.length; place += 1) {
    if (isMark(text[place])) end = place + 1;
    else if (!isInvisible(text[place])) break;
  }
  return [start, end];
}
