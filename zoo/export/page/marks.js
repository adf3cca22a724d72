// The text with its entities: each is a line below its words and ends at its label; lines of overlapping ones are stacked.

/** As the zoo's Space has them: dark enough to carry white text, apart for colour-blind readers. */
const COLORS = ["#0072B2", "#B85000", "#007A59", "#AA3377", "#7A6A00", "#4B3FB5", "#8C564B", "#5F6770"];

/** A colour for each type of the models, in order of their names. */
export function colorsOf(models) {
  const types = [...new Set(models.flatMap((model) => model.types))].sort();
  return new Map(types.map((type, k) => [type, COLORS[k % COLORS.length]]));
}

/** An element with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function label(type, colors) {
  const element = make("span", { class: "label" }, type);
  element.style.background = colors.get(type);
  return element;
}

/** Show a text of code points with entities inside an element; `nameOf` has the names of models by number. */
export function showText(element, text, entities, colors, nameOf) {
  const marks = stack(entities);
  const borders = [...new Set([0, text.length, ...marks.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  element.replaceChildren();
  borders.slice(0, -1).forEach((start, k) => {
    const end = borders[k + 1];
    const covering = marks.filter((mark) => mark.start <= start && mark.end >= end);
    const words = text.slice(start, end).join("");
    if (!covering.length) {
      element.append(words);
      return;
    }
    const part = make("mark", {}, words);
    underline(part, covering, colors);
    element.append(part);
    const ending = covering.filter((mark) => mark.end === end).sort((a, b) => b.start - a.start);
    for (const mark of ending) {
      const own = label(mark.type, colors);
      own.title = `${nameOf(mark.number)}, score ${mark.score.toFixed(3)}`;
      underline(own, covering.filter((other) => other.end > end), colors);
      own.style.backgroundColor = colors.get(mark.type);
      element.append(own);
    }
  });
}

/** Give each entity a row; where two overlap, their rows differ. */
function stack(entities) {
  const rows = []; // where the last entity of each row ends
  return [...entities].sort((a, b) => a.start - b.start || b.end - a.end).map((entity) => {
    let row = rows.findIndex((end) => end <= entity.start);
    if (row < 0) row = rows.length;
    rows[row] = entity.end;
    return { ...entity, row };
  });
}

function underline(element, marks, colors) {
  const lines = marks.map(({ type, row }) => {
    const color = `color-mix(in srgb, #fff var(--lift), ${colors.get(type)})`;
    return `linear-gradient(${color}, ${color}) 0 calc(100% - ${5 * row}px) / 100% 3px no-repeat`;
  });
  element.style.background = lines.join(", ");
  element.style.paddingBottom = `${5 * Math.max(0, ...marks.map(({ row }) => row + 1))}px`;
}
