// The charts of a page: fetched when they come into view, drawn, and fetched again when there is news.

import { chosen, connect as connectChoices, keep } from "./chart_choices.js";
import { follow } from "./chart_cursor.js";
import { drawAll, drawing, drawSoon } from "./chart_drawing.js";
import { draw, tabulate } from "./chart_figures.js";
import { byKey, filter, frame, openGroups, sayLatest, there } from "./chart_frames.js";
import { arrange } from "./chart_places.js";
import * as rollouts from "./chart_rollouts.js";
import * as screen from "./chart_screen.js";

const box = document.getElementById("charts");
const find = document.querySelector("[data-find]");
const known = new Map(); // key → entry, see chart_frames.js
const MINIMUM_PAUSE = 1000; // milliseconds between two rounds of news
const TOGETHER = 3; // charts of one request

// Fetching: one request at a time, what is in view first; then the other main charts, so that they are there to print.

let listStale = true;
let pumping = false;
let round = 0; // rises when the choices change: what was asked before does not count
let first = box.dataset.first;

function next() {
  const entries = [...known.values()];
  if (!byKey || first !== undefined) return listStale ? [] : null;
  const seen = entries.filter((entry) => entry.seen && entry.stale);
  const zoomed = seen.find((entry) => entry.between);
  if (zoomed) return [zoomed];
  if (seen.length) return seen.slice(0, TOGETHER);
  if (listStale) return [];
  const ahead = entries.find(({ chart, stale }) => chart.main && !chart.zero && !chart.figure && stale);
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
  sayBusy();
  try {
    await fetchStale();
  } finally {
    pumping = false;
    sayBusy();
  }
}

const sayBusy = () => box.setAttribute("aria-busy", String(pumping || drawing()));

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
  const fresh = [];
  for (const chart of charts) {
    const entry = known.get(chart.key) ?? add(chart);
    const { figure } = entry.chart;
    entry.chart = { ...chart, figure: chart.figure ?? figure };
    if (!chart.figure) continue;
    entry.stale = false;
    sayLatest(entry);
    const text = JSON.stringify(chart.figure);
    if (entry.drawn && entry.text === text) continue; // nothing new to see
    entry.text = text;
    entry.drawn = false;
    fresh.push(entry);
  }
  arrange(charts.filter((chart) => chart.main && !chart.place).map((chart) => known.get(chart.key)));
  for (const entry of fresh) if (entry.seen || (byKey && entry.element.closest("[data-main]"))) drawSoon(entry, show); // those above at any rate
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
  const plot = entry.element.querySelector(".plot");
  const isNew = !plot.classList.contains("js-plotly-plot");
  entry.drawn = true;
  draw(plot, entry.chart);
  if (isNew && entry.chart.place) opens(plot);
  else if (isNew) {
    follow(entry);
    rollouts.open(plot);
    if (byKey) plot.on("plotly_relayout", (change) => zoom(entry, change));
  }
  entry.rest?.();
  const points = entry.element.querySelector("[data-points]");
  if (!points.hidden) tabulate(entry.chart, points);
  sayBusy();
}

// A click on a point opens what it is made of.
function opens(plot) {
  plot.on("plotly_click", ({ points: [point] }) => {
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

// What is in view

const watcher = new IntersectionObserver((changes) => {
  for (const change of changes) {
    const entry = known.get(change.target.dataset.chart);
    if (!entry) continue;
    entry.seen = change.isIntersecting;
    if (entry.seen && entry.chart.figure && !entry.drawn) drawSoon(entry, show);
  }
  pump();
}, { rootMargin: "200px" });

function add(chart) {
  const entry = frame(chart);
  known.set(chart.key, entry);
  watcher.observe(entry.element);
  return entry;
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
    openGroups(Boolean(find.value.trim()));
    filter();
  });
}
connectChoices(afresh);
document.body.addEventListener(box.dataset.refresh ?? "live:telemetry", news);
document.addEventListener("charts:moved", () => { round += 1; });
function redraw() {
  for (const entry of known.values()) if (entry.drawn) show(entry);
}
document.addEventListener("theme", redraw);
window.addEventListener("beforeprint", () => {
  for (const entry of known.values()) if (entry.chart.main && entry.chart.figure && !entry.drawn) drawSoon(entry, show);
  drawAll();
});
for (const chart of there()) add(chart);
pump();
screen.connect(fetchOne);
