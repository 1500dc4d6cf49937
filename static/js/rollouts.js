// Puts new rollouts into the list as they arrive, the newest first; "Pause" keeps them back while somebody reads.

const list = document.getElementById("rollouts");
const count = document.getElementById("rollout-count");
const hold = document.getElementById("hold");
const MOST_KEPT = 200; // rollouts that are kept back; when there are more, the list is fetched again on release
let shown = 60;
let kept = new Map(); // id → article that arrived while held
let missed = 0; // that arrived while held and were not kept
let attempts = null;
let renewed = false; // while held, an attempt began that samples some steps again

const held = () => hold.getAttribute("aria-pressed") === "true";

function articles(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return [...holder.content.querySelectorAll("article")];
}

// Each to its place: those of several runs do not arrive in the order in which they were sampled.
function put(found) {
  const fresh = found.filter((article) => !document.getElementById(article.id));
  if (!fresh.length) return;
  list.querySelector("[data-empty]")?.remove();
  for (const article of fresh.sort((a, b) => (a.dataset.place < b.dataset.place ? -1 : 1))) {
    article.classList.add("arrived");
    let next = list.firstElementChild;
    while (next && next.dataset.place > article.dataset.place) next = next.nextElementSibling;
    list.insertBefore(article, next);
  }
  while (list.childElementCount > shown) list.lastElementChild.remove();
}

function say() {
  const waiting = kept.size + missed;
  const newer = renewed ? "Show the new attempt" : waiting ? `Show ${waiting} newer` : "Held still";
  hold.textContent = held() ? newer : "Pause";
}

document.body.addEventListener("live:rollouts", ({ detail }) => {
  shown = detail.shown;
  count.textContent = detail.total.toLocaleString("en");
  if (detail.html.includes("<article")) take(detail.html);
});

function take(html) {
  const found = articles(html);
  if (!held()) return put(found);
  for (const article of found) {
    if (document.getElementById(article.id) || kept.has(article.id)) continue;
    if (kept.size < MOST_KEPT) kept.set(article.id, article);
    else missed += 1;
  }
  say();
}

// The list as it is now, whole.
async function fetchAgain() {
  const response = await fetch(list.dataset.source);
  if (!response.ok) return;
  kept = new Map();
  missed = 0;
  renewed = false;
  list.innerHTML = await response.text();
  say();
}

// A new attempt samples some steps again: those of the old one no longer count, so the list is fetched whole, when nobody
// holds it still.
document.body.addEventListener("live:state", ({ detail }) => {
  const begun = attempts !== null && attempts !== detail.attempts;
  attempts = detail.attempts;
  if (!begun) return;
  renewed = held();
  if (renewed) say();
  else fetchAgain();
});

function release() {
  if (missed || renewed) return fetchAgain();
  put([...kept.values()]);
  kept = new Map();
  say();
}

hold.addEventListener("click", () => {
  hold.setAttribute("aria-pressed", String(!held()));
  if (!held()) release();
  say();
});

// Keys that act while the list has the focus: from rollout to rollout, from group to group, pause, open.
list.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const every = [...list.querySelectorAll("article")];
  const place = every.indexOf(document.activeElement.closest("article"));
  const group = every[place]?.dataset.group;
  const other = (one) => one.dataset.group !== group;
  const moves = {
    ArrowDown: () => every[place + 1],
    ArrowUp: () => every[place - 1],
    n: () => every.slice(place + 1).find(other),
    p: () => every.slice(0, Math.max(place, 0)).findLast(other),
  };
  if (event.key === "h") hold.click();
  else if (event.key === "Enter" && event.target.matches("article")) event.target.querySelector(".group-link")?.click();
  else if (moves[event.key]) {
    const next = moves[event.key]();
    if (!next) return;
    next.tabIndex = -1;
    next.focus();
  } else return;
  event.preventDefault();
});
