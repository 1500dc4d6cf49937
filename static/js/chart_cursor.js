// One vertical line through all charts of the page, and what each shows there: by pointer or by arrow keys.

import { across, brief, legendTraces, valuesOf, written } from "./chart_figures.js";
import { rolloutsOf } from "./chart_rollouts.js";

const charts = new Set(); // entries that are drawn

// The place of the point nearest to x; the arrays are in order of x.
function nearest(xs, x) {
  let low = 0;
  let high = xs.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - xs[low - 1] < xs[low] - x ? low - 1 : low;
}

function show(entry, x) {
  const plot = entry.element.querySelector(".plot");
  const line = entry.element.querySelector(".cursor");
  const axes = plot._fullLayout;
  const at = axes.xaxis.d2p(x);
  line.hidden = !(at >= 0 && at <= axes.xaxis._length);
  line.style.left = `${plot.offsetLeft + axes.xaxis._offset + at}px`;
  line.style.top = `${plot.offsetTop + axes.yaxis._offset}px`;
  line.style.height = `${axes.yaxis._length}px`;
  const parts = legendTraces(entry.chart).filter((trace) => trace.x.length).map((trace) => {
    const place = nearest(trace.x, x);
    return `${trace.name} ${written(valuesOf(trace)[place], entry.chart.percent) || "–"}`;
  });
  const xs = legendTraces(entry.chart).find((trace) => trace.x.length)?.x ?? [x];
  const shown = xs[nearest(xs, x)].toLocaleString("en", { maximumSignificantDigits: 6 });
  say(entry.element, `${across(entry.chart)} ${shown}: ${parts.join(" · ")}`);
}

// What stands below a chart that nobody points at: where its y axis begins, if not at 0.
function rest({ element, chart }) {
  const { yaxis } = element.querySelector(".plot")._fullLayout;
  const low = Math.min(...yaxis.range);
  say(element, yaxis.type === "linear" && low > 0 ? `y axis from ${brief(low, chart.percent)}` : "", true);
}

function say(element, text, resting = false) {
  const place = element.querySelector("[data-at]");
  place.textContent = text;
  place.toggleAttribute("data-resting", resting);
}

export function point(x) {
  for (const entry of charts) if (entry.seen && entry.chart.figure) show(entry, x);
}

export function leave() {
  for (const entry of charts) {
    entry.element.querySelector(".cursor").hidden = true;
    if (entry.drawn) rest(entry);
  }
}

function press(entry, event) {
  const traces = legendTraces(entry.chart).filter((one) => one.x.length);
  const trace = traces.find((one) => one.meta?.own) ?? traces.at(-1);
  const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  if (event.key === "Escape") return leave();
  const address = event.key === "Enter" && rolloutsOf(trace, entry.place);
  if (address) return location.assign(address);
  if (!trace || !(event.key in moves)) return;
  event.preventDefault();
  const start = entry.place ?? trace.x.length; // the first key shows the newest point
  entry.place = Math.min(Math.max(start + moves[event.key], 0), trace.x.length - 1);
  entry.element.querySelector("[data-at]").setAttribute("aria-live", "polite");
  point(trace.x[entry.place]);
}

// Called once for each chart, when it is drawn for the first time.
export function follow(entry) {
  const plot = entry.element.querySelector(".plot");
  charts.add(entry);
  entry.rest = () => {
    if (entry.element.querySelector(".cursor").hidden) rest(entry);
  };
  plot.on("plotly_hover", (event) => point(event.xvals[0]));
  plot.on("plotly_unhover", leave);
  plot.addEventListener("keydown", (event) => press(entry, event));
  plot.addEventListener("blur", () => {
    entry.element.querySelector("[data-at]").removeAttribute("aria-live");
    leave();
  });
}
