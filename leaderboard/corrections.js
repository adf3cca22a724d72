// Corrections: which words and which entity are meant, and the way from one suggestion to the next.
(() => {
  let words = null, label = null, number = 0;  // words and label count for as long as they are on the page

  const box = () => document.querySelector("#fix-text .text");
  const plain = part => {  // the text without labels
    part.querySelectorAll(".lab, .concept").forEach(label => label.remove());
    return part.textContent;
  };
  const before = (text, node, offset) => {
    const range = document.createRange();
    range.setStart(text, 0);
    range.setEnd(node, offset);
    return plain(range.cloneContents());
  };
  const meant = () => ({
    words: words?.node.isConnected ? {start: words.start, end: words.end, text: words.text} : null,
    entity: label?.isConnected ? number : null,
  });
  const say = () => {
    const line = document.getElementById("fix-picked"), now = meant(), parts = [];
    if (now.entity !== null) parts.push(`Entity: ${label.getAttribute("aria-label").split(" · score")[0]}`);
    if (now.words) parts.push(`Words: ${now.words.text}`);
    if (line) line.textContent = parts.join(" · ") || "Nothing is picked: click a label, or select words.";
  };
  const pick = chosen => {
    box()?.querySelectorAll("button.lab").forEach(one => one.classList.toggle("picked", one === chosen));
    label = chosen;
    if (chosen) number = Number(chosen.dataset.n);
    say();
  };

  document.addEventListener("selectionchange", () => {
    const chosen = document.getSelection(), text = box();
    if (!text || !chosen.rangeCount || !text.contains(chosen.anchorNode) || !text.contains(chosen.focusNode)) return;
    const range = chosen.getRangeAt(0), start = before(text, range.startContainer, range.startOffset);
    const end = before(text, range.endContainer, range.endOffset), found = end.slice(start.length);
    words = found ? {node: range.startContainer, start: [...start].length, end: [...end].length, text: found} : null;
    say();
  });
  const picked = event => {
    const chosen = event.target instanceof Element && event.target.closest("#fix-text button.lab");
    if (chosen) pick(chosen);
  };
  document.addEventListener("click", picked);
  document.addEventListener("focusin", picked);
  document.addEventListener("keydown", event => {
    const name = {a: "accept", r: "reject", Delete: "reject"}[event.key];
    if (!name || event.ctrlKey || event.metaKey || event.altKey || !event.target.matches("#fix-text button.lab")) return;
    event.preventDefault();
    document.getElementById(`fix-${name}`).click();
  });

  window.fix = {
    picked: () => JSON.stringify(meant()),
    type: () => document.querySelector("#fix-type input").value,  // also where the field is not left yet
    next() {  // after an answer: the suggestion that follows, if none is picked
      if (label?.isConnected) return;
      const open = [...(box()?.querySelectorAll('button.lab[aria-label$="· suggested"]') ?? [])];
      pick(open.find(one => Number(one.dataset.n) >= number) ?? open[0] ?? null);
      label?.scrollIntoView({block: "nearest"});
      if (document.activeElement === document.body) label?.focus();  // who came by a key goes on by keys
    },
  };
})();
