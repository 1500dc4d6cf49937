// The frame of each chart: those that the page came with, and new ones; what its buttons and folds do.

import { chosen } from "./chart_choices.js";
import { brief, described, tabulate } from "./chart_figures.js";
import { follow as followPlace } from "./chart_places.js";
import { save } from "./chart_saves.js";
import * as screen from "./chart_screen.js";

const box = document.getElementById("charts");
const more = document.querySelector("[data-more]");
const all = document.querySelector("[data-all]");
const find = document.querySelector("[data-find]");
const template = document.getElementById("chart");
export const byKey = "first" in box.dataset; // else the source gives every chart with its figure

// What the frames that the page came with are for; the server says more of them with their figures.
export const there = () =>
  [...document.querySelectorAll(".chart[data-chart]")].map(({ dataset, children: [caption] }) => ({
    key: dataset.chart,
    title: caption.querySelector("[data-title]").textContent,
    unit: caption.querySelector("[data-unit]").textContent,
    group: dataset.group,
    pinned: "pinned" in dataset,
    zero: "zero" in dataset,
    main: true,
  }));

// Makes the entry of a chart; {chart, element, seen, stale, drawn, between}. Curated charts get their place from chart_places.js.
export function frame(chart) {
  const element = document.getElementById(`chart-${chart.key}`) ?? template.content.firstElementChild.cloneNode(true);
  const part = (name) => element.querySelector(name);
  element.dataset.chart = chart.key;
  element.id = `chart-${chart.key}`; // what a finding links to
  part("[data-title]").textContent = chart.title;
  part("[data-unit]").textContent = chart.unit;
  part("[data-points]").setAttribute("aria-label", `${chart.title}: points`);
  part(".plot").setAttribute("aria-label", described(chart));
  const entry = { chart, element, seen: false, stale: true, drawn: false, between: null };
  const [menu, table, points] = [part(".chart-menu"), part("[data-table]"), part("[data-points]")];
  const close = () => {
    menu.open = false;
    menu.querySelector("summary").focus();
  };
  menu.querySelector("summary").setAttribute("aria-label", `${chart.title}: more`);
  table.addEventListener("click", () => {
    points.hidden = !points.hidden;
    table.setAttribute("aria-expanded", String(!points.hidden));
    if (!points.hidden && entry.chart.figure) tabulate(entry.chart, points);
    close();
  });
  for (const button of element.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => {
      save(button.dataset.save, part(".plot"), entry.chart, box.dataset.name);
      close();
    });
  }
  const [wide, file] = [part("[data-screen]"), part("[data-csv]")];
  wide.setAttribute("aria-label", `${chart.title}: full screen`);
  wide.addEventListener("click", () => screen.open(chart.key));
  if (byKey) file.addEventListener("click", () => {
    file.href = `${box.dataset.file}?${new URLSearchParams([...chosen(), ["key", chart.key]])}`;
  });
  wide.hidden = file.hidden = !byKey;
  followPlace(entry);
  const place = folded(chart);
  if (place) place.append(element);
  if (more?.childElementCount) more.parentElement.hidden = false;
  if (all?.childElementCount) {
    all.parentElement.hidden = all.closest("[data-more-charts]").hidden = false;
    filter();
  }
  return entry;
}

// The number at the right of a chart's head, and the unit, which of memory goes by its size.
export function sayLatest({ chart, element }) {
  element.querySelector("[data-latest]").textContent = brief(chart.latest, chart.percent);
  element.querySelector("[data-unit]").textContent = chart.unit;
}

function folded(chart) {
  if (chart.place) return document.getElementById(chart.place);
  if (chart.main) return null;
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

// All metrics: those whose names hold what is looked for.
export function filter() {
  const words = find.value.trim().toLowerCase();
  let found = 0;
  for (const group of all.children) {
    const charts = [...group.querySelectorAll(".chart")];
    for (const element of charts) {
      element.hidden = !element.querySelector("[data-title]").textContent.toLowerCase().includes(words);
    }
    const fitting = charts.filter((element) => !element.hidden).length;
    group.hidden = !fitting;
    group.querySelector("summary").textContent = `${group.dataset.group} (${fitting})`;
    found += fitting;
  }
  all.parentElement.querySelector("[data-found]").textContent = `${found} metric${found === 1 ? "" : "s"}`;
}

export function openGroups(open) {
  for (const group of all.children) group.open = open;
}
