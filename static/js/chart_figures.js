// One chart: its figure in the colours of light or dark, and its points as a table.

import { opensRollouts, rolloutsOf } from "./chart_rollouts.js";

export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// "--condition-0" → its value; "--condition-0/0.2" → the same, so much of it.
function colour(name) {
  const [token_, share] = name.split("/");
  const value = token(token_);
  if (!share) return value;
  const parts = [1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16));
  return `rgba(${parts.join(",")},${share})`;
}

// Tokens of the style sheet in a figure → their values. Arrays of numbers are left as they are.
function coloured(value) {
  if (typeof value === "string") return value.startsWith("--") ? colour(value) : value;
  if (Array.isArray(value)) return value[0] !== null && typeof value[0] === "object" ? value.map(coloured) : value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, coloured(below)]));
}

// "80%" → "80 %", as texts have it: Plotly's format of numbers knows no space.
const PERCENT = Object.fromEntries(Array.from({ length: 1001 }, (_, tenths) => [`${tenths / 10}%`, `${tenths / 10}\u00a0%`]));

function styled(layout) {
  const axis = { gridcolor: token("--line"), linecolor: token("--line-strong"), tickcolor: token("--line-strong"), automargin: true };
  return {
    ...coloured(layout),
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: token("--muted") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    hoverlabel: { bgcolor: token("--surface"), bordercolor: token("--line-strong"), font: { color: token("--ink") } },
    xaxis: { ...layout.xaxis, ...axis, showgrid: false, showline: true },
    yaxis: { ...(layout.yaxis.tickformat?.endsWith("%") ? { labelalias: PERCENT } : {}), ...layout.yaxis, ...axis, zerolinecolor: token("--line-strong") },
    // what the person zoomed to stays, until an axis means something else
    uirevision: JSON.stringify([layout.xaxis.title.text, layout.xaxis.type, layout.yaxis.type, layout.yaxis.range]),
  };
}

export const across = (chart) => chart.figure.layout.xaxis.title.text; // step, tokens, k

export function written(value, percent) {
  if (value === null || value === undefined) return "";
  if (percent) return `${(100 * value).toFixed(1)} %`.replaceAll("-", "−");
  const text = value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });
  return text.replaceAll("-", "−");
}

// A single number: three significant digits, the zeros among them too; from 100 on, whole numbers.
export function brief(value, percent) {
  if (percent || !value || Math.abs(value) < 1e-3) return written(value, percent);
  const text = Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
  return text.replaceAll("-", "−");
}

const named = (chart) => `${chart.title}${chart.unit ? `, ${chart.unit}` : ""}`;
export const described = (chart) =>
  `${named(chart)}${chart.figure ? `, by ${across(chart)}` : ""}${chart.latest === null || chart.latest === undefined ? "" : `; latest ${brief(chart.latest, chart.percent)}`}`;

export function draw(plot, chart, more = {}) {
  const keys = opensRollouts ? "Arrow keys read the points, Enter opens their rollouts" : "Arrow keys read the points";
  plot.setAttribute("aria-label", `${described(chart)}. ${chart.place ? "The points stand below as a table" : keys}.`);
  return Plotly.react(plot, coloured(chart.figure.data), styled({ ...chart.figure.layout, ...more }), { displayModeBar: false, responsive: true });
}

// The traces that have a name and a value at a point: no edges of bands, no single runs behind a mean. Their order is the legend's.
const BEHIND = ["band", "single", "raw", "rest", "newest"];
export const legendTraces = (chart) =>
  chart.figure.data
    .filter((trace) => !BEHIND.includes(trace.meta?.role))
    .sort((a, b) => (a.legendrank ?? 0) - (b.legendrank ?? 0));
export const valuesOf = (trace) => trace.customdata ?? trace.y;

// The points of a chart as a table, newest first; of stages the first first.
export function tabulate(chart, place) {
  const traces = legendTraces(chart);
  const stages = traces.some((trace) => trace.meta?.labels); // in their own order, each number in words that open what its point opens
  const rows = new Map();
  for (const [column, trace] of traces.entries()) {
    for (const [i, at] of trace.x.entries()) {
      if (valuesOf(trace)[i] === null && trace.meta?.role) continue;
      const x = stages ? Math.round(at) : at;
      const name = trace.meta?.labels?.[i] ?? at.toLocaleString("en", { maximumSignificantDigits: 9 });
      if (!rows.has(x)) rows.set(x, { name, cells: Array(traces.length).fill(null) });
      rows.get(x).cells[column] = stages
        ? { text: trace.meta.said[i], address: trace.meta.links[i] }
        : { text: written(valuesOf(trace)[i], chart.percent), address: rolloutsOf(trace, i) };
    }
  }
  const table = document.createElement("table");
  table.className = "numbers";
  const head = table.createTHead().insertRow();
  for (const name of [across(chart), ...traces.map((trace) => trace.name)]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const [, { name, cells }] of [...rows].sort(([a], [b]) => (stages ? a - b : b - a))) {
    const row = body.insertRow();
    const first = document.createElement("th");
    first.scope = "row";
    first.textContent = name;
    row.append(first);
    for (const cell of cells) {
      const link = cell?.address ? document.createElement("a") : null;
      if (link) link.href = cell.address;
      (link ?? row.insertCell()).textContent = cell?.text || "–";
      if (link) row.insertCell().append(link);
    }
  }
  place.replaceChildren(table);
}
