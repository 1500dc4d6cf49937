// Boxes in which a setting is chosen by a part of its path or of its words: a combobox over the settings that the page lists.
const MOST = 30; // settings that are shown at once
const list = Object.assign(document.createElement("ul"), { id: "picked-from", role: "listbox", hidden: true, className: "picks" });
const count = Object.assign(document.createElement("span"), { className: "visually-hidden" });
list.setAttribute("aria-label", "Settings");
count.setAttribute("role", "status");
let box = null; // whose list is open
let at = -1;

function settings() {
  return JSON.parse(document.getElementById("settings")?.textContent ?? "[]");
}

function last(path) {
  return path.slice(path.lastIndexOf(".") + 1);
}

// How well a setting answers what was typed; 0: not at all.
function score(setting, typed) {
  const path = setting.path.toLowerCase();
  const key = last(path);
  if (path === typed || key === typed) return 9;
  if (key.startsWith(typed) || path.startsWith(typed)) return 7;
  if (path.includes(typed)) return 6;
  const all = `${path} ${setting.label} ${setting.help}`.toLowerCase();
  const words = typed.split(/\s+/);
  if (words.every((word) => `${path} ${setting.label}`.toLowerCase().includes(word))) return 5;
  if (words.every((word) => all.includes(word))) return 3;
  return follows(path, typed.replace(/\s+/g, "")) ? 1 : 0;
}
function follows(path, letters) { // in this order, with others between them
  let from = 0;
  for (const letter of letters) {
    from = path.indexOf(letter, from) + 1;
    if (!from) return false;
  }
  return true;
}

function show() {
  const typed = box.value.trim().toLowerCase();
  const found = settings().map((setting) => [typed ? score(setting, typed) : 1, setting]).filter(([points]) => points);
  found.sort(([a, one], [b, other]) => b - a || last(one.path).length - last(other.path).length);
  list.replaceChildren(...found.slice(0, MOST).map(([, setting], place) => option(setting, place)));
  if (found.length > MOST) list.append(Object.assign(document.createElement("li"), { className: "rest", textContent: `${found.length - MOST} more: type on`, role: "presentation" }));
  at = -1;
  box.removeAttribute("aria-activedescendant");
  box.after(list, count);
  list.hidden = found.length === 0;
  box.setAttribute("aria-expanded", String(!list.hidden));
  count.textContent = `${found.length} setting${found.length === 1 ? "" : "s"}`;
}
function option(setting, place) {
  const one = Object.assign(document.createElement("li"), { id: `pick-${place}`, role: "option" });
  one.dataset.path = setting.path;
  one.setAttribute("aria-selected", "false");
  const path = Object.assign(document.createElement("code"), { textContent: setting.path });
  const help = Object.assign(document.createElement("span"), { textContent: [setting.label, setting.help].filter(Boolean).join(": ") });
  one.append(path, help);
  return one;
}
function close() {
  if (!box) return;
  list.hidden = true;
  box.setAttribute("aria-expanded", "false");
  box.removeAttribute("aria-activedescendant");
  at = -1;
}
function move(to) {
  const options = [...list.querySelectorAll("[role=option]")];
  if (!options.length) return;
  options[at]?.setAttribute("aria-selected", "false");
  at = (to + options.length) % options.length;
  options[at].setAttribute("aria-selected", "true");
  options[at].scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", options[at].id);
}
function choose(one) {
  const chosen = box;
  chosen.value = one.dataset.path;
  close();
  box = null; // what is chosen opens no list
  chosen.dispatchEvent(new Event("input", { bubbles: true }));
  box = chosen;
}

function made(input) {
  if (input.getAttribute("role") === "combobox") return;
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", "false");
}

document.addEventListener("focusin", (event) => {
  const input = event.target.closest?.("input[data-picks]");
  if (box && box !== input) close();
  if (input) { box = input; made(input); input.after(list, count); }
});
document.addEventListener("focusout", (event) => { if (event.target === box) close(); });
document.addEventListener("input", (event) => { if (event.target === box) show(); });
document.addEventListener("mousedown", (event) => {
  if (event.target === box && list.hidden) show();
  if (!list.contains(event.target)) return;
  event.preventDefault(); // the box keeps the focus
  const one = event.target.closest("[role=option]");
  if (one) choose(one);
});
document.addEventListener("keydown", (event) => {
  if (event.target !== box || event.isComposing) return;
  const { key } = event;
  if (key === "ArrowDown" || key === "ArrowUp") {
    event.preventDefault();
    if (list.hidden) show();
    move(key === "ArrowDown" ? at + 1 : at < 0 ? -1 : at - 1);
  } else if (key === "Escape" && !list.hidden) {
    event.preventDefault();
    close();
  } else if (key === "Enter") {
    const options = list.hidden ? [] : [...list.querySelectorAll("[role=option]")];
    const one = options[at] ?? (options.length === 1 ? options[0] : null);
    if (one) { event.preventDefault(); choose(one); return; }
    const button = box.form?.querySelector(`button[name="do"][value="${box.name}"]`);
    if (button) { event.preventDefault(); close(); button.click(); }
  }
});
function ready() {
  for (const input of document.querySelectorAll("input[data-picks]")) made(input);
}
ready();
new MutationObserver(ready).observe(document.getElementById("fields"), { childList: true }); // they came anew
