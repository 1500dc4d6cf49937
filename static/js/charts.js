// The charts of a page: fetched when they come into view, drawn, and fetched again when there is news.

import { chosen, connect as connectChoices, keep } from "./chart_choices.js";
import { follow } from "./chart_cursor.js";
import { described, draw, tabulate, written } from "./chart_figures.js";
import { save } from "./chart_saves.js";
import * as screen from "./chart_screen.js";

const box = document.getElementById("charts");
const main = box.querySelector("[data-main]");
const more = box.querySelector("[data-more]");
const all = box.querySelector("[data-all]");
const find = box.querySelector("[data-find]");
const template = document.getElementById("chart");
const byKey = "first" in box.dataset; // else the source gives every chart with its figure
const known = new Map(); // key → {chart, element, seen, stale, drawn, between}
const MINIMUM_PAUSE = 1000; // milliseconds between two rounds of news
const TOGETHER = 3; // charts of one request

// Fetching: one request at a time, what is in view first; then the other main charts, so that they are there to print.

let listStale = true;
let pumping = false;
let round = 0; // rises when the choices change: what was asked before does not count
let first = box.dataset.first;

function next() {
  const entries = [...known.values()];
  if (!byKey) return listStale ? [] : null;
  const seen = entries.filter((entry) => entry.seen && entry.stale);
  const zoomed = seen.find((entry) => entry.between);
  if (zoomed) return [zoomed];
  if (seen.length) return seen.slice(0, TOGETHER);
  if (listStale) return [];
  const ahead = entries.find((entry) => entry.chart.main && !entry.chart.figure && entry.stale);
  return ahead ? [ahead] : null;
}

function address(entries) {
  const query = chosen();
  query.set("keys", entries.map((entry) => entry.chart.key).join(","));
  if (entries[0]?.between) query.set("between", entries[0].between.join(","));
  const asked = first ?? (byKey ? query.toString() : "");
  first = undefined; // the page began to load it before this module ran
  return asked ? `${box.dataset.source}?${asked}` : box.dataset.source;
}

async function pump() {
  if (pumping) return;
  pumping = true;
  try {
    await fetchStale();
  } finally {
    pumping = false;
  }
}

async function fetchStale() {
  const failed = new Set();
  for (let entries = next(); entries && !entries.some((entry) => failed.has(entry)); entries = next()) {
    const asked = round;
    listStale = false;
    for (const entry of entries) entry.stale = false;
    const response = await fetch(address(entries)).catch(() => null);
    const answer = response?.ok ? await response.json().catch(() => null) : null; // it may end in the middle
    if (!answer) { // the server is away: the stream says so, and comes back with news
      listStale = !entries.length;
      for (const entry of entries) {
        failed.add(entry);
        entry.stale = true;
      }
      break;
    }
    if (asked !== round) { // chosen anew meanwhile: asked again
      listStale ||= !entries.length;
      for (const entry of entries) entry.stale = true;
    } else take(answer.charts);
  }
}

function take(charts) {
  if (!byKey) drop(new Set(charts.map((chart) => chart.key)));
  if (!charts.some((chart) => chart.place)) document.querySelector(".answer.expected")?.classList.remove("expected");
  for (const chart of charts) {
    const entry = known.get(chart.key) ?? add(chart);
    if (!chart.figure) continue;
    entry.chart = chart;
    entry.stale = false;
    entry.element.querySelector("[data-latest]").textContent = written(chart.latest, chart.percent);
    if (entry.seen || (chart.main && byKey)) show(entry);
    else entry.drawn = false;
  }
  box.querySelector("[data-empty]")?.toggleAttribute("hidden", charts.some((chart) => !chart.place));
  showLinked();
}

// What the source no longer has, as when everything is computed again, must not stay beside tables without its numbers.
function drop(kept) {
  for (const [key, { element }] of known) {
    if (kept.has(key)) continue;
    watcher.unobserve(element);
    const plot = element.querySelector(".js-plotly-plot");
    if (plot) Plotly.purge(plot);
    element.remove();
    known.delete(key);
  }
}

async function fetchOne(key, points) {
  const query = chosen();
  query.set("keys", key);
  query.set("points", points);
  const response = await fetch(`${box.dataset.source}?${query}`).catch(() => null);
  return response?.ok ? (await response.json()).charts.find((chart) => chart.key === key) : null;
}

function show(entry) {
  const isNew = !entry.element.querySelector(".js-plotly-plot");
  entry.drawn = true;
  draw(entry.element.querySelector(".plot"), entry.chart);
  if (isNew && entry.chart.place) opens(entry);
  else if (isNew) {
    follow(entry);
    if (byKey) entry.element.querySelector(".plot").on("plotly_relayout", (change) => zoom(entry, change));
  }
  if (entry.element.querySelector(".table").open) tabulate(entry.chart, entry.element.querySelector("[data-points]"));
}

// A click on a point opens what it is made of.
function opens(entry) {
  entry.element.querySelector(".plot").on("plotly_click", ({ points: [point] }) => {
    const address = point.data.meta?.links?.[point.pointNumber];
    if (address) location.assign(address);
  });
}

// A part of the axis is fetched with its own points, so that nothing is thinned away in it.
function zoom(entry, change) {
  const ends = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
  const wide = change["xaxis.autorange"];
  if (ends[0] === undefined && !wide) return;
  const log = entry.chart.figure.layout.xaxis.type === "log";
  entry.between = wide ? null : ends.map((end) => (log ? 10 ** end : end));
  clearTimeout(entry.later);
  entry.later = setTimeout(() => {
    entry.stale = true;
    pump();
  }, 150);
}

// Frames

const watcher = new IntersectionObserver((changes) => {
  for (const change of changes) {
    const entry = known.get(change.target.dataset.chart);
    entry.seen = change.isIntersecting;
    if (entry.seen && entry.chart.figure && !entry.drawn) show(entry);
  }
  pump();
}, { rootMargin: "200px" });

function place(chart) {
  if (chart.place) return document.getElementById(chart.place);
  if (chart.main) return main;
  if (!chart.group) return more;
  let group = all.querySelector(`[data-group="${CSS.escape(chart.group)}"]`);
  if (!group) {
    group = document.createElement("details");
    group.dataset.group = chart.group;
    const summary = document.createElement("summary");
    const charts = document.createElement("div");
    charts.className = "charts";
    group.append(summary, charts);
    all.append(group);
  }
  return group.querySelector(".charts");
}

function add(chart) {
  const element = template.content.firstElementChild.cloneNode(true);
  const part = (name) => element.querySelector(name);
  element.dataset.chart = chart.key;
  element.id = `chart-${chart.key}`; // what a finding links to
  part("[data-title]").textContent = chart.title;
  part("[data-unit]").textContent = chart.unit;
  part("[data-points]").setAttribute("aria-label", `${chart.title}: points`);
  part(".plot").setAttribute("aria-label", described(chart));
  const entry = { chart, element, seen: false, stale: true, drawn: false, between: null };
  part(".table").addEventListener("toggle", (event) => event.target.open && entry.chart.figure && tabulate(entry.chart, part("[data-points]")));
  for (const button of element.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => save(button.dataset.save, part(".plot"), entry.chart, box.dataset.name));
  }
  const [wide, file] = [part("[data-screen]"), part("[data-csv]")];
  wide.setAttribute("aria-label", `${chart.title}: full screen`);
  wide.addEventListener("click", () => screen.open(chart.key));
  if (byKey) file.addEventListener("click", () => {
    file.href = `${box.dataset.file}?${new URLSearchParams([...chosen(), ["key", chart.key]])}`;
  });
  wide.hidden = file.hidden = !byKey;
  known.set(chart.key, entry);
  place(chart).append(element);
  if (more) more.parentElement.hidden = !more.childElementCount;
  if (all) {
    all.parentElement.hidden = !all.childElementCount;
    filter();
  }
  watcher.observe(element);
  return entry;
}

// All metrics: those whose names hold what is looked for.
function filter() {
  const words = find.value.trim().toLowerCase();
  let found = 0;
  for (const group of all.children) {
    const charts = [...group.querySelectorAll(".chart")];
    for (const element of charts) element.hidden = !known.get(element.dataset.chart)?.chart.title.toLowerCase().includes(words);
    const fitting = charts.filter((element) => !element.hidden).length;
    group.hidden = !fitting;
    group.querySelector("summary").textContent = `${group.dataset.group} (${fitting})`;
    found += fitting;
  }
  all.parentElement.querySelector("[data-found]").textContent = `${found} metric${found === 1 ? "" : "s"}`;
}

// The browser looked for the chart that the address names before it was there.
let linked = location.hash.startsWith("#chart-") ? decodeURIComponent(location.hash.slice(1)) : "";
function showLinked() {
  const element = linked && document.getElementById(linked);
  if (!element) return;
  linked = "";
  for (let above = element.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
  element.scrollIntoView({ block: "center" });
}
window.addEventListener("hashchange", () => {
  linked = location.hash.startsWith("#chart-") ? decodeURIComponent(location.hash.slice(1)) : "";
  showLinked();
});

// News

let waiting = null;
let last = -Infinity;
function news() {
  if (waiting !== null) return;
  waiting = setTimeout(async () => {
    waiting = null;
    last = performance.now();
    listStale = true;
    for (const entry of known.values()) entry.stale = true;
    screen.refresh();
    await pump();
    last += 2 * (performance.now() - last); // a slow server is asked less often
  }, Math.max(0, last + MINIMUM_PAUSE - performance.now()));
}

function afresh() {
  round += 1;
  known.forEach((entry) => {
    entry.between = null;
    entry.stale = true;
    if (!entry.seen) entry.chart = { ...entry.chart, figure: undefined };
  });
  screen.refresh();
  pump();
}

if (find) {
  find.addEventListener("input", () => {
    keep("find", find.value.trim());
    for (const group of all.children) group.open = Boolean(find.value.trim());
    filter();
  });
}
connectChoices(afresh);
document.body.addEventListener(box.dataset.refresh ?? "live:telemetry", news);
function redraw() {
  for (const entry of known.values()) if (entry.drawn) show(entry);
}
document.addEventListener("theme", redraw);
pump();
screen.connect(fetchOne);
