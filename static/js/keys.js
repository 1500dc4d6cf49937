// Keys: Ctrl-K always; those of a single character unless somebody types, or has switched them off (WCAG 2.1.4).

import { open } from "./palette.js";

const dialog = document.getElementById("keys");
const switches = document.querySelectorAll("[data-keys-on]"); // in the dialog, and on the account page
const OFF = "mulberry.keys-off";
const SOON = 1500; // ms from g to the letter after it
let begun = 0;

function typing(target) {
  return target.closest?.("input, textarea, select, [contenteditable], dialog") != null;
}

function move(by) {
  const rows = [...document.querySelectorAll("main [data-row]")].filter((one) => one.checkVisibility());
  const at = rows.indexOf(document.activeElement);
  rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}

const KEYS = {
  "/": open,
  "?": show,
  j: () => move(1),
  k: () => move(-1),
};

function show() {
  if (!dialog.open) dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key.toLowerCase() === "k") {
    event.preventDefault();
    return open();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(target) || localStorage.getItem(OFF)) return;
  const after = Date.now() - begun < SOON;
  begun = key === "g" && !after ? Date.now() : 0;
  const place = after && /^[a-z]$/.test(key) ? dialog.querySelector(`[data-go="${key}"]`) : null;
  const does = place ? () => location.assign(place.href) : after || key === "g" ? null : KEYS[key];
  if (!does) return;
  event.preventDefault();
  does();
});

for (const on of switches) {
  on.checked = !localStorage.getItem(OFF);
  on.addEventListener("change", () => {
    if (on.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "yes");
    for (const other of switches) other.checked = on.checked;
  });
}
for (const link of document.querySelectorAll("[data-keys]")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // to a page of its own
    event.preventDefault();
    show();
  });
}
