// The search palette: a combobox (WAI-ARIA: focus stays in the field, aria-activedescendant names the choice).

const dialog = document.getElementById("palette");
const field = document.getElementById("palette-words");
const list = document.getElementById("palette-list");
const count = document.getElementById("palette-count");
const RECENT = `mulberry.recent.${document.body.dataset.person}`;
let chosen = -1;
let asking = null;
let wait = null;

export const recent = {
  read() {
    return JSON.parse(localStorage.getItem(RECENT) ?? "[]");
  },
  visit() {
    const title = document.title.replace(/ · Mulberry$/, "");
    const here = { group: "Recent", title, detail: "", url: location.pathname + location.search };
    const others = recent.read().filter((one) => one.url !== here.url);
    localStorage.setItem(RECENT, JSON.stringify([here, ...others].slice(0, 9)));
  },
};

function options() {
  return [...list.querySelectorAll('[role="option"]')];
}

function choose(place) {
  const every = options();
  chosen = every.length ? (place + every.length) % every.length : -1;
  for (const [at, one] of every.entries()) one.setAttribute("aria-selected", String(at === chosen));
  if (chosen < 0) return field.removeAttribute("aria-activedescendant");
  field.setAttribute("aria-activedescendant", every[chosen].id);
  every[chosen].scrollIntoView({ block: "nearest" });
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function show(hits, words) {
  list.dataset.words = words;
  const groups = new Map();
  for (const hit of hits) groups.set(hit.group, [...(groups.get(hit.group) ?? []), hit]);
  let number = 0;
  const parts = [...groups].map(([name, members], place) => {
    const group = element("div", "palette-group", "");
    const title = element("div", "palette-title", name);
    title.id = `palette-group-${place}`;
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", title.id);
    title.setAttribute("role", "presentation");
    group.append(title);
    for (const hit of members) {
      const option = element("div", "palette-option", "");
      option.id = `palette-option-${number++}`;
      option.setAttribute("role", "option");
      option.dataset.url = hit.url;
      option.append(element("span", "", hit.title), element("span", "muted small", hit.detail));
      group.append(option);
    }
    return group;
  });
  list.replaceChildren(...parts);
  field.setAttribute("aria-expanded", String(hits.length > 0));
  count.textContent = hits.length ? `${hits.length} found` : words ? "Nothing has all these words; take fewer." : "";
  choose(0);
}

async function ask() {
  const words = field.value.trim();
  asking?.abort();
  asking = new AbortController();
  try {
    const url = `${dialog.dataset.source}?q=${encodeURIComponent(words)}`;
    const response = await fetch(url, { signal: asking.signal });
    if (!response.ok) {
      count.textContent = "The server did not answer; try again.";
      return;
    }
    const { hits } = await response.json();
    const here = location.pathname + location.search;
    show(words ? hits : [...recent.read().filter((one) => one.url !== here), ...hits], words);
  } catch (error) {
    if (error.name !== "AbortError") count.textContent = "The server cannot be reached; try again.";
  }
}

export function open() {
  if (dialog.open) return;
  dialog.showModal();
  field.value = "";
  list.dataset.words = "";
  field.focus();
  ask();
}

function follow(option, apart) {
  if (!option) return;
  if (apart) window.open(option.dataset.url, "_blank", "noopener");
  else location.assign(option.dataset.url);
}

field.addEventListener("input", () => {
  clearTimeout(wait);
  wait = setTimeout(ask, 90);
});
field.addEventListener("keydown", async (event) => {
  if (event.isComposing) return;
  if (["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) event.preventDefault();
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter") {
    clearTimeout(wait);
    if (field.value.trim() !== list.dataset.words) await ask(); // typed faster than it was answered
    follow(options()[chosen], event.ctrlKey || event.metaKey);
  }
});
list.addEventListener("click", (event) => follow(event.target.closest('[role="option"]'), event.ctrlKey || event.metaKey));
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});
for (const link of document.querySelectorAll("[data-palette]")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });
}
