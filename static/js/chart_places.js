// Where each chart of a run stands: an overview above the rollouts, the rest by group, what is 0 throughout folded. A person pins
// charts and moves them; a cookie keeps that, so that the server sends the page in this order (webapp/charts/arrangement.py).

const overview = document.querySelector("[data-main]");
const rest = document.querySelector("[data-rest]");
const zeros = document.querySelector("[data-zeros]");
const OVERVIEW = Number(overview?.dataset.main); // as many as webapp/charts/page.py puts there
const COOKIE = "chart_order";
const PIN = "*";

let order = []; // entries of curated charts, as they stand

// The curated charts in the server's order.
export function arrange(entries) {
  order = entries;
  place();
}

const groupOf = (entry) => (entry.chart.pinned ? "pinned" : entry.chart.group);

function place() {
  if (!rest) return fill(overview, order.map((entry) => entry.element));
  const drawn = order.filter((entry) => !entry.chart.zero);
  const later = [];
  let group = "";
  for (const entry of drawn.slice(OVERVIEW)) {
    if (groupOf(entry) !== group) {
      group = groupOf(entry);
      if (group) later.push(heading(group));
    }
    later.push(entry.element);
  }
  fill(overview, drawn.slice(0, OVERVIEW).map((entry) => entry.element));
  fill(rest, later);
  for (const one of rest.querySelectorAll("[data-heading]")) if (!later.includes(one)) one.remove();
  sayZeros(order.filter((entry) => entry.chart.zero));
}

// Nothing moves that stands where it should.
function fill(place_, elements) {
  elements.forEach((element, at) => {
    if (place_.children[at] !== element) place_.insertBefore(element, place_.children[at] ?? null);
  });
}

function heading(group) {
  const known = rest.querySelector(`[data-heading="${CSS.escape(group)}"]`);
  const made = known ?? document.createElement("h3");
  made.dataset.heading = made.textContent = group;
  return made;
}

function sayZeros(entries) {
  fill(zeros.querySelector("[data-zero-charts]"), entries.map((entry) => entry.element));
  zeros.hidden = !entries.length;
  const titles = entries.map((entry) => entry.chart.title).join(", ");
  zeros.querySelector("summary").textContent = `${entries.length} metric${entries.length === 1 ? " was" : "s were"} 0 throughout: ${titles}`;
}

// A person's order

const bare = (key) => (key.startsWith(PIN) ? key.slice(PIN.length) : key);

function stored() {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${COOKIE}=`));
  return found ? decodeURIComponent(found.slice(COOKIE.length + 1)).split(",").filter(Boolean) : [];
}

// Charts that this run has none of stay behind those that they followed.
function save() {
  const list = order.map((entry) => `${entry.chart.pinned ? PIN : ""}${entry.chart.key}`);
  const before = stored();
  before.forEach((key, at) => {
    if (list.some((one) => bare(one) === bare(key))) return;
    const after = at ? list.findIndex((one) => bare(one) === bare(before[at - 1])) : -1;
    list.splice(after + 1, 0, key);
  });
  // biome-ignore lint/suspicious/noDocumentCookie: cookieStore is not in every browser, and has no promise to wait for here
  document.cookie = `${COOKIE}=${encodeURIComponent(list.join(","))}; path=/runs/; max-age=31536000; samesite=lax`;
}

function tell(entry) {
  const shown = order.filter((one) => !one.chart.zero);
  const text = `${entry.chart.title} is chart ${shown.indexOf(entry) + 1} of ${shown.length}`;
  document.querySelector("[data-placed]").textContent = entry.chart.pinned ? `${text}, pinned` : text;
}

function changed(entry, button) {
  place();
  save();
  document.dispatchEvent(new Event("charts:moved")); // what was asked before names another order
  button.focus(); // it went with its chart
  tell(entry);
}

function move(entry, by, button) {
  const peers = order.filter((one) => groupOf(one) === groupOf(entry) && one.chart.zero === entry.chart.zero);
  const other = peers[peers.indexOf(entry) + by];
  if (!other) return tell(entry);
  const [from, to] = [order.indexOf(entry), order.indexOf(other)];
  [order[from], order[to]] = [other, entry];
  changed(entry, button);
}

function pin(entry, button) {
  entry.chart.pinned = !entry.chart.pinned;
  button.setAttribute("aria-pressed", String(entry.chart.pinned));
  const groups = [...new Set(order.filter((one) => !one.chart.pinned).map((one) => one.chart.group))];
  const rank = (one) => (one.chart.pinned ? -1 : groups.indexOf(one.chart.group));
  order = [...order].sort((a, b) => rank(a) - rank(b));
  changed(entry, button);
}

// Called once for each curated chart.
export function follow(entry) {
  const controls = entry.element.querySelector("[data-place]");
  controls.hidden = !rest || !entry.chart.main;
  if (controls.hidden) return;
  const pinned = controls.querySelector("[data-pin]");
  pinned.setAttribute("aria-pressed", String(Boolean(entry.chart.pinned)));
  pinned.setAttribute("aria-label", `Pin ${entry.chart.title}`);
  pinned.addEventListener("click", () => pin(entry, pinned));
  for (const button of controls.querySelectorAll("[data-move]")) {
    button.setAttribute("aria-label", `${entry.chart.title}: ${button.textContent.toLowerCase()}`);
    button.addEventListener("click", () => move(entry, Number(button.dataset.move), button));
  }
}
