// Draws the figures that the server makes, and draws them again when there are new points.

const box = document.getElementById("charts");
const main = box.querySelector("[data-main]");
const more = box.querySelector("[data-more]");
const template = document.getElementById("chart");
const known = new Map(); // key → {chart, element, seen, stale}
const MINIMUM_PAUSE = 1000; // milliseconds between two fetches

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Tokens of the style sheet ("--condition-0") → their values, for light or dark.
function coloured(value) {
  if (typeof value === "string") return value.startsWith("--") ? token(value) : value;
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(coloured) : value;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, coloured(below)]));
}

function styled(layout) {
  const axis = { gridcolor: token("--line"), linecolor: token("--line-strong"), tickcolor: token("--line-strong"), automargin: true };
  return {
    ...layout,
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: token("--muted") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    hoverlabel: { bgcolor: token("--surface"), bordercolor: token("--line-strong"), font: { color: token("--ink") } },
    xaxis: { ...layout.xaxis, ...axis, showgrid: false, showline: true },
    yaxis: { ...layout.yaxis, ...axis },
    uirevision: "as the person left it",
  };
}

const across = (chart) => chart.figure.layout.xaxis.title.text; // step, k

function written(value, percent) {
  if (value === null || value === undefined) return "";
  if (percent) return `${(100 * value).toFixed(1)} %`;
  const text = value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : Number(value.toPrecision(4)).toString();
  return text.replaceAll("-", "−");
}

function draw(entry) {
  const { chart, element } = entry;
  if (!entry.seen) return void (entry.stale = true);
  entry.stale = false;
  const plot = element.querySelector(".plot");
  plot.setAttribute("aria-label", `${chart.title}, ${chart.unit}, by ${across(chart)}${chart.latest === null ? "" : `; latest ${written(chart.latest, chart.percent)}`}`);
  Plotly.react(plot, coloured(chart.figure.data), styled(chart.figure.layout), { displayModeBar: false, responsive: true });
  const details = element.querySelector("details");
  if (details.open) tabulate(entry);
}

// The points of a chart as a table, newest first.
function tabulate({ chart, element }) {
  const traces = chart.figure.data;
  const rows = new Map();
  traces.forEach((trace, column) => trace.x.forEach((step, i) => {
    if (!rows.has(step)) rows.set(step, Array(traces.length).fill(null));
    rows.get(step)[column] = trace.y[i];
  }));
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
  for (const [step, values] of [...rows].sort(([a], [b]) => b - a)) {
    const row = body.insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = step;
    row.append(name);
    for (const value of values) row.insertCell().textContent = value === null ? "–" : written(value, chart.percent);
  }
  element.querySelector(".points").replaceChildren(table);
}

const watcher = new IntersectionObserver((changes) => {
  for (const change of changes) {
    const entry = known.get(change.target.dataset.chart);
    entry.seen = change.isIntersecting;
    if (entry.seen && entry.stale) draw(entry);
  }
}, { rootMargin: "200px" });

function add(chart) {
  const element = template.content.firstElementChild.cloneNode(true);
  element.dataset.chart = chart.key;
  element.id = `chart-${chart.key}`; // what a finding links to
  element.querySelector("[data-title]").textContent = chart.title;
  element.querySelector("[data-unit]").textContent = chart.unit;
  element.querySelector(".points").setAttribute("aria-label", `${chart.title}: points`);
  element.querySelector(".plot").setAttribute("aria-label", `${chart.title}, ${chart.unit}, by ${across(chart)}`);
  const entry = { chart, element, seen: false, stale: true };
  element.querySelector("details").addEventListener("toggle", (event) => event.target.open && tabulate(entry));
  known.set(chart.key, entry);
  (chart.main ? main : more).append(element);
  more.parentElement.hidden = !more.childElementCount;
  watcher.observe(element);
  return entry;
}

async function refresh() {
  const response = await fetch(box.dataset.source, { headers: { Accept: "application/json" } });
  if (!response.ok) return;
  const { charts } = await response.json();
  for (const chart of charts) {
    const entry = known.get(chart.key) ?? add(chart);
    entry.chart = chart;
    entry.element.querySelector("[data-latest]").textContent = written(chart.latest, chart.percent);
    draw(entry);
  }
  box.querySelector("[data-empty]").hidden = charts.length > 0;
  showLinked();
}

// The browser looked for the chart that the address names before it was there.
let linked = location.hash.startsWith("#chart-") ? location.hash.slice(1) : "";
function showLinked() {
  const element = linked && document.getElementById(linked);
  if (!element) return;
  linked = "";
  const folded = element.closest("details.more-charts");
  if (folded) folded.open = true;
  element.scrollIntoView({ block: "center" });
}

let running = false;
let wanted = false;

// One fetch at a time; what is asked for meanwhile is fetched once, afterwards.
async function keepFresh() {
  wanted = true;
  if (running) return;
  running = true;
  while (wanted) {
    wanted = false;
    const began = performance.now();
    await refresh().catch(() => {}); // the server is away: the stream says so, and comes back with news
    await new Promise((done) => setTimeout(done, Math.max(MINIMUM_PAUSE, 3 * (performance.now() - began))));
  }
  running = false;
}

document.body.addEventListener(box.dataset.refresh ?? "live:telemetry", keepFresh);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => known.forEach(draw));
keepFresh();
