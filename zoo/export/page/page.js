// What is seen: the form, the text with its entities, and the licences.

import { colorsOf, label, make, showText } from "./marks.js";
import { codePoints } from "./writing.js";

const byId = (id) => document.getElementById(id);
const status = byId("status");
const settings = await (await fetch("export.json")).json();
const { models, example } = settings;
const colors = colorsOf(models);
const shortNames = withoutCommonStart(models.map((model) => model.name));
let asked = 0, running = null;

// A worker from an address of its own would not be bound by the policy of this page; one made here is.
const start = URL.createObjectURL(
  new Blob([`import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`], { type: "text/javascript" }),
);
const worker = new Worker(start, { type: "module" });
worker.onmessage = ({ data }) => {
  if (data.kind === "failed") say(`This browser cannot run the models: ${data.message}`, true);
  else if (data.kind === "ready") { if (!running) say("Ready."); }
  else if (data.id === running?.id) progress(data);
};
worker.onerror = (event) => say(`This browser cannot run the models: ${event.message ?? "no module workers"}`, true);

/** Names without what all begin with, up to a `/` or `-`; a single one stays whole. */
function withoutCommonStart(names) {
  const ends = [...names[0].matchAll(/[/-]/g)].map((match) => match.index + 1).reverse();
  const cut = names.length > 1 && ends.find((end) => names.every((name) => name.startsWith(names[0].slice(0, end))));
  return names.map((name) => name.slice(cut || 0));
}

function say(words, failed = false) {
  status.textContent = words;
  status.classList.toggle("failed", failed);
  if (failed) end();
}

function end() {
  running = null;
  byId("stop").hidden = true;
}

function progress({ kind, number, done, windows, entities }) {
  const { chosen, text, began } = running;
  if (kind === "step") {
    const part = windows > 1 ? `, part ${done + 1} of ${windows}` : "";
    say(`Reading with ${shortNames[number]}${part} (${chosen.indexOf(number) + 1} of ${chosen.length}) …`);
  } else if (kind === "found") {
    running.found.push(...entities.map((entity) => ({ ...entity, number })));
    show(text, running.found, chosen);
  } else {
    say(`${running.found.length} found in ${((performance.now() - began) / 1000).toFixed(1)} s.`);
    end();
  }
}

/** Show what was found; the JSON has the fields of `zoo tag`. */
function show(text, found, chosen) {
  const characters = codePoints(text);
  const words = ({ start, end }) => characters.slice(start, end).join("");
  const ordered = [...found].sort((a, b) => a.start - b.start || b.end - a.end);
  showText(byId("marked"), characters, ordered, colors, (number) => shortNames[number]);
  const types = [...new Set(chosen.flatMap((number) => models[number].types))].sort();
  byId("legend").replaceChildren(...types.map((type) =>
    make("li", {}, label(type, colors), ` ${found.filter((entity) => entity.type === type).length}`)));
  byId("rows").replaceChildren(...ordered.map((entity) => make("tr", {},
    make("td", {}, words(entity)), make("td", {}, entity.type), make("td", {}, `${entity.start}–${entity.end}`),
    make("td", {}, entity.score.toFixed(3)), make("td", { title: models[entity.number].name }, shortNames[entity.number]))));
  const entities = found.map(({ start, end, type, score, number }) =>
    ({ start, end, type, text: words({ start, end }), score: Number(score.toFixed(4)), model: models[number].name }));
  byId("json").textContent = JSON.stringify({ text: characters.join(""), entities }, null, 2);
  byId("result").hidden = false;
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value;
  const chosen = [...document.querySelectorAll("#models input:checked")].map((box) => Number(box.value));
  if (!text.trim() || !chosen.length) {
    say(chosen.length ? "Enter a text first." : "Choose a model first.");
    byId(chosen.length ? "text" : "models").focus();
    return;
  }
  running = { id: ++asked, text, chosen, found: [], began: performance.now() };
  byId("stop").hidden = false;
  say("Loading the models …");
  worker.postMessage({ id: running.id, text, models: chosen });
});
byId("stop").addEventListener("click", () => {
  worker.postMessage({ id: ++asked, text: "", models: [] }); // a new request ends the old one
  say("Stopped.");
  end();
});
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
});
byId("example").addEventListener("click", () => { byId("text").value = example; });
byId("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(byId("json").textContent);
  say("Copied.");
});

byId("models").replaceChildren(...models.map((model, number) => {
  const box = make("input", { type: "checkbox", value: number, checked: "" });
  return make("label", {}, box,
    make("span", {}, make("b", { title: model.name }, shortNames[number]), make("span", { class: "fine" }, model.types.join(", "))));
}));
byId("licences").replaceChildren(...[settings.base, ...models].map((part) =>
  make("li", {}, make("b", {}, part.name), `: ${part.license}`,
    ...part.notes.filter((note) => part === settings.base || !settings.base.notes.includes(note))
      .map((note) => make("div", {}, note)),
    ...(part.obstacle ? [make("div", { class: "warning" }, `Not to be passed on: ${part.obstacle}`)] : []))));
byId("text").value ||= example;
if (status.textContent.includes("not running")) say("Loading the models …");
