// A list of problems beside the one that is read: arrow keys go along the list, what has the focus is read, and its row is marked.

const list = document.getElementById("problems");
const read = document.getElementById("problem");
const STILL = 120; // ms that the focus stays on a row before its problem is fetched
let soon = 0;
let last = read?.querySelector("article")?.id;

const links = () => [...(list?.querySelectorAll("[data-row]") ?? [])];
const beside = () => read.getBoundingClientRect().left > list.getBoundingClientRect().right;

document.addEventListener("htmx:after:swap", () => {
  const shown = read?.querySelector("article")?.id;
  if (shown === last) return;
  last = shown;
  for (const row of list.querySelectorAll("tbody tr")) {
    if (row.dataset.problem === shown) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  read.scrollTop = 0;
  if (!beside()) read.scrollIntoView({ block: "start" });
});

list?.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const every = links();
  every[every.indexOf(document.activeElement) + by]?.focus();
});

list?.addEventListener("focusin", ({ target }) => {
  clearTimeout(soon);
  if (!target.matches("[data-row]:focus-visible") || target.closest("[aria-current]") || !beside()) return;
  soon = setTimeout(() => target.click(), STILL);
});
