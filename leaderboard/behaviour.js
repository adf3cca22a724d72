// What the browser does by itself: copy, save, open a file, and keep the address in step with the view.
(() => {
  const VIEW = ["view", "search", "corpora", "types", "backbones", "languages", "sizes", "licenses", "verified",
                "reported", "columns", "sort", "descending", "page"];

  const say = text => {
    let box = document.getElementById("space-said");
    if (!box) {
      box = document.createElement("div");
      box.id = "space-said";
      box.setAttribute("role", "status");
      document.body.appendChild(box);
    }
    box.textContent = text;
    box.classList.add("on");
    clearTimeout(box.timer);
    box.timer = setTimeout(() => box.classList.remove("on"), 2500);
  };

  const replace = params => {
    const text = params.toString();
    window.history.replaceState(null, "", window.location.pathname + (text ? "?" + text : ""));
  };

  const set = (name, value) => {
    const params = new URLSearchParams(window.location.search);
    if (value) params.set(name, value); else params.delete(name);
    replace(params);
  };

  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // no permission, or the page is not in a secure context
      const area = document.createElement("textarea");
      area.value = text;
      area.style.position = "fixed";
      area.style.opacity = "0";
      document.body.appendChild(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    say(`${what} copied`);
  };

  document.addEventListener("click", event => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button.dataset.copy, "Text");
  });

  // what an entity is: a card after its label, while the pointer or the focus is on its words or label
  let opened = null, leaving = 0;
  const shut = () => {
    if (!opened) return;
    const {label, card, words} = opened;
    opened = null;
    label.setAttribute("aria-expanded", "false");
    words.forEach(word => word.classList.remove("lit"));
    card.remove();
  };
  const place = () => {
    if (!opened) return;
    const {label, card} = opened, at = label.getBoundingClientRect(), box = card.getBoundingClientRect();
    const below = at.bottom + 2 + box.height <= window.innerHeight;
    card.style.left = `${Math.max(8, Math.min(at.left, window.innerWidth - box.width - 8))}px`;
    card.style.top = `${Math.max(8, below ? at.bottom + 2 : at.top - box.height - 2)}px`;
  };
  const labelsOf = element => {  // of words, those of all entities that they belong to, the innermost first
    const label = element.closest("button.lab"), words = element.closest("[data-e]");
    if (label || !words) return label ? [label] : [];
    return words.dataset.e.split(" ").map(n => words.closest(".text").querySelector(`.lab[data-n="${n}"]`));
  };
  const open = labels => {
    clearTimeout(leaving);
    const [label] = labels, text = label.closest(".text"), key = labels.map(one => one.dataset.n).join(" ");
    if (opened && opened.label === label && opened.key === key) return;
    shut();
    const card = document.createElement("div");
    card.className = "concept on";
    card.setAttribute("role", "group");
    card.setAttribute("aria-label", "Entity");
    for (const one of labels) {
      const about = document.createElement("p");
      about.className = "about";
      about.style.borderColor = one.style.backgroundColor;
      about.textContent = one.getAttribute("aria-label");
      const concept = text.nextElementSibling?.querySelector(`[data-concept="${one.dataset.card}"]`);
      card.append(about, ...(concept ? concept.cloneNode(true).childNodes : []));
    }
    label.after(card);
    label.setAttribute("aria-expanded", "true");
    const words = [...text.querySelectorAll(`[data-e~="${label.dataset.n}"]`)];
    words.forEach(word => word.classList.add("lit"));
    opened = {label, key, card, words};
    place();
  };
  const within = element => opened && element instanceof Element
    && (opened.card.contains(element) || opened.label.contains(element));
  document.addEventListener("pointerover", event => {
    const labels = event.target instanceof Element ? labelsOf(event.target) : [];
    if (labels.length) open(labels);
    else if (within(event.target)) clearTimeout(leaving);
    else if (opened && !within(document.activeElement)) {
      clearTimeout(leaving);
      leaving = setTimeout(shut, 250);
    }
  });
  document.addEventListener("focusin", event => {
    if (event.target.matches("button.lab")) open([event.target]);
    else if (!within(event.target)) shut();
  });
  document.addEventListener("click", event => {  // a tap: not every browser gives a button the focus
    const labels = event.target instanceof Element ? labelsOf(event.target) : [];
    if (labels.length) open(labels); else if (!within(event.target)) shut();
  });
  document.addEventListener("keydown", event => {  // the labels of a text are one stop of the Tab key
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key], label = event.target;
    if (!step || !label.matches("button.lab")) return;
    const all = [...label.closest(".text").querySelectorAll("button.lab")], next = all[all.indexOf(label) + step];
    event.preventDefault();
    if (!next) return;
    label.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  document.addEventListener("keydown", event => {
    if (event.key !== "Escape" || !opened) return;
    const {label, card} = opened, inside = card.contains(document.activeElement);
    shut();
    if (inside) label.focus();
    shut();
  });
  document.addEventListener("scroll", place, true);

  // a click on the board waits until the view of the link is there: its filters would be lost
  let settle;
  const settled = new Promise(resolve => { settle = resolve; });
  if (window.location.search) setTimeout(settle, 8000); else settle();

  window.space = {
    start: window.location.search,  // before the first tab is selected, which changes the address
    settle,
    settled,
    copy,
    set,
    tab(name, model) {
      set("tab", name === "board" ? "" : name);
      set("model", name === "model" ? model : "");
    },
    link(query) {  // the query of the board, other parameters kept
      const params = new URLSearchParams(window.location.search);
      VIEW.forEach(name => params.delete(name));
      new URLSearchParams(query).forEach((value, name) => params.append(name, value));
      replace(params);
    },
    save(name, text) {
      if (!text) { say("There is nothing to download yet"); return; }
      const kind = name.endsWith(".json") ? "application/json" : name.endsWith(".csv") ? "text/csv" : "text/plain";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], {type: `${kind};charset=utf-8`}));
      link.download = name;
      document.body.appendChild(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      say(`${name} saved`);
    },
    async open(input) {  // the file never leaves the browser as a file: its text goes into the box
      const note = document.getElementById("demo-file-note"), file = input.files[0];
      if (!file) return;
      if (file.size > 400000) {
        note.textContent = `${file.name} is too large: the demo takes 100,000 characters.`;
        return;
      }
      let text;
      try {
        text = new TextDecoder("utf-8", {fatal: true}).decode(await file.arrayBuffer());
      } catch {
        note.textContent = `${file.name} is not UTF-8 text: convert it first.`;
        return;
      }
      const area = document.querySelector("#demo-text textarea");
      area.value = text;
      area.dispatchEvent(new Event("input", {bubbles: true}));
      const lines = text.includes("\r") ? " Its line ends were changed to one character, which offsets count." : "";
      note.textContent = `${file.name}: ${[...area.value].length.toLocaleString("en")} characters.${lines}`;
      input.value = "";
    },
  };
})();
