// A list of groups: it is narrowed and sorted where it stands, one group is read beside it, and new ones arrive on top
// while nobody reads. The address keeps what is chosen.

const form = document.getElementById("filter");
const found = document.getElementById("found");
const pane = document.getElementById("pane");
const hold = document.getElementById("hold");
const SOON = 400; // ms between two questions for new rows
const INDEXED = 6000; // ms after which new texts can be searched
const AGAIN = 2000; // ms until rows that could not be fetched are asked for again
const TYPED = 350; // ms without a key until words are looked up
const TURNED = 120; // ms on a row until its group is fetched: who leafs through asks once
let asked = query().toString(); // what the list was last narrowed to
let asking = null; // the filter's question that is under way
let reading = null; // the group's
let waiting = null; // until the filter asks
let soon = SOON;
let due = null; // until new rows are asked for
let renewed = false; // while held, an attempt began that samples some steps again
let newer = 0; // rollouts that came in while the list held still
let attempts = null;

const list = () => document.getElementById("groups");
const rows = () => [...list().rows];
const pressed = () => hold?.getAttribute("aria-pressed") === "true";
// Who has chosen a row reads: nothing moves until they go, or ask. Sorted otherwise, new ones have no place on top.
const held = () => pressed() || list().dataset.sort !== "" || list().contains(document.activeElement);

// The pane

function mark() {
  for (const row of rows()) {
    if (row.dataset.group === pane.dataset.group) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

function choose(row) {
  const url = new URL(location.href);
  url.searchParams.set("group", row.dataset.group);
  history.replaceState(null, "", url);
  pane.dataset.group = row.dataset.group;
  pane.classList.remove("by-default");
  mark();
  clearTimeout(reading?.timer);
  reading?.abort.abort();
  const abort = new AbortController();
  const timer = setTimeout(() => read(row.querySelector("[data-pane]").dataset.pane, abort), TURNED);
  reading = { abort, timer };
}

async function read(address, abort) {
  pane.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(address, { signal: abort.signal });
    if (!response.ok) throw new Error(response.statusText);
    pane.innerHTML = await response.text();
    pane.scrollTop = 0;
    pane.removeAttribute("aria-busy");
  } catch (error) {
    if (error.name === "AbortError") return;
    pane.removeAttribute("aria-busy");
    pane.textContent = "This group could not be fetched. Choose it again.";
  }
}

const beside = () => matchMedia("(min-width: 60.01rem)").matches; // on a phone a group has a page of its own

found.addEventListener("focusin", ({ target }) => {
  const row = target.closest("#groups tr");
  if (row && beside() && row.dataset.group !== pane.dataset.group) choose(row);
});

found.addEventListener("focusout", ({ relatedTarget }) => {
  if (newer && !pressed() && list().dataset.sort === "" && !list().contains(relatedTarget)) askSoon();
});

found.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const narrowing = event.target.closest("a[data-narrow]");
  if (narrowing) {
    event.preventDefault();
    return narrow(new URL(narrowing.getAttribute("href"), location.href), true);
  }
  const row = event.target.closest("#groups tr");
  if (!row || !beside()) return;
  if (event.target.closest("a") && event.detail === 0) return; // by Enter: the group's page
  event.preventDefault();
  row.querySelector("a").focus();
});

// Keys in the list, beside those of every list: from group to group, hold still

found.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !list().contains(event.target)) return;
  const all = rows();
  const place = all.indexOf(event.target.closest("tr"));
  const to = { ArrowDown: place + 1, n: place + 1, ArrowUp: place - 1, p: place - 1 }[event.key];
  if (event.key === "h") hold?.click();
  else if (to !== undefined) all[to]?.querySelector("a").focus();
  else return;
  event.preventDefault();
});

// The filter

function query() {
  const given = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "") given.set(name, value);
  return given;
}

function fill(given) {
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") field.checked = given.has(field.name);
    else field.value = given.get(field.name) ?? "";
  }
}

async function narrow(url, filling = false) {
  clearTimeout(waiting);
  asking?.abort();
  asking = new AbortController();
  const chosen = new URLSearchParams(location.search).get("group");
  if (chosen) url.searchParams.set("group", chosen);
  history.replaceState(null, "", url);
  if (filling) fill(url.searchParams);
  asked = query().toString();
  found.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(url, { signal: asking.signal });
    if (!response.ok) throw new Error(response.statusText);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of document.querySelectorAll("#found, #downloads, [id^='mistakes-']")) {
      part.innerHTML = page.getElementById(part.id)?.innerHTML ?? "";
    }
    document.getElementById("clear").hidden = page.getElementById("clear").hidden;
    if (!chosen) {
      pane.innerHTML = page.getElementById("pane").innerHTML;
      pane.dataset.group = page.getElementById("pane").dataset.group ?? "";
    }
    for (const one of form.elements) {
      if (document.getElementById(`mistakes-${one.name}`)?.childElementCount) one.setAttribute("aria-invalid", "true");
      else one.removeAttribute("aria-invalid");
    }
    newer = 0;
    renewed = false;
    mark();
    say();
    found.removeAttribute("aria-busy");
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
  }
}

function narrowNow() {
  const given = query().toString();
  if (given !== asked) narrow(new URL(`?${given}`, form.action));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  narrowNow();
});
form.addEventListener("change", narrowNow);
form.addEventListener("input", ({ target }) => {
  if (target.type !== "search") return;
  clearTimeout(waiting);
  waiting = setTimeout(narrowNow, TYPED);
});

// What comes in

function say() {
  if (!hold) return;
  if (newer || renewed) hold.hidden = false; // of a finished run there was nothing to hold still
  if (renewed) hold.textContent = "Show the new attempt";
  else hold.textContent = newer ? `Show ${newer.toLocaleString("en")} newer` : pressed() ? "Paused" : "Pause";
}

document.body.addEventListener("live:rollouts", ({ detail }) => {
  const count = document.getElementById("rollout-count");
  const before = Number(count.textContent.replace(/\D/g, ""));
  count.textContent = detail.total.toLocaleString("en");
  newer += Math.max(detail.total - before, 0);
  if (held()) return say();
  askSoon();
  if (list().hasAttribute("data-words")) setTimeout(askSoon, INDEXED);
});

// An attempt that begins samples some steps again: the list is another one, unless somebody holds it still.
document.body.addEventListener("live:state", ({ detail }) => {
  const begun = attempts !== null && attempts !== detail.attempts;
  attempts = detail.attempts;
  if (!begun) return;
  renewed = held();
  if (renewed) say();
  else askSoon(true);
});

function askSoon(anew = false) {
  if (due) return;
  due = setTimeout(() => {
    due = null;
    ask(anew);
  }, soon);
}

async function ask(anew) {
  const from = list();
  const holder = document.createElement("template");
  const began = Date.now();
  try {
    const response = await fetch(from.dataset.source);
    if (!response.ok) throw new Error(response.statusText);
    holder.innerHTML = await response.text();
  } catch {
    setTimeout(() => askSoon(anew), AGAIN); // the server is away: nobody tells again what came in
    return;
  }
  if (from !== list()) return; // narrowed meanwhile
  if (held() && !anew) return say();
  soon = Math.max(SOON, 4 * (Date.now() - began)); // a long list is not asked for all the time
  newer = 0;
  renewed = false;
  const now = [...holder.content.querySelectorAll("tbody tr")];
  if (anew) from.replaceChildren(...now);
  else put(from, now);
  for (const part of [".found-head", "nav.pages", "[data-empty]"]) {
    const before = found.querySelector(part);
    const after = holder.content.querySelector(part);
    if (before?.contains(document.activeElement)) continue;
    if (before && after) before.replaceWith(after);
    else if (after) found.append(after);
    else before?.remove();
  }
  const files = document.getElementById("downloads");
  if (!files.querySelector("[open]")) files.replaceChildren(...holder.content.querySelector("[data-downloads]").childNodes);
  mark();
  say();
}

// Each to its place: those of several runs do not arrive in the order in which they were sampled.
function put(into, fresh) {
  for (const row of fresh) {
    const known = document.getElementById(row.id);
    if (known) {
      known.replaceWith(row); // its second part came in
      continue;
    }
    row.classList.add("arrived");
    let next = into.rows[0];
    while (next && next.dataset.place > row.dataset.place) next = next.nextElementSibling;
    into.insertBefore(row, next ?? null);
  }
  while (into.rows.length > Number(into.dataset.most)) into.deleteRow(-1);
}

hold?.addEventListener("click", () => {
  if (newer || renewed) return ask(true);
  hold.setAttribute("aria-pressed", String(!pressed()));
  say();
});

mark();
