// One chart over the whole page: a dialog, so Escape ends it and the focus goes back to where it was.

import { kept, keep } from "./chart_choices.js";
import { draw, legendTraces } from "./chart_figures.js";
import * as rollouts from "./chart_rollouts.js";

const dialog = document.getElementById("chart-screen");
export const POINTS = 2000;
let fetchOne = null;

export const shown = () => (dialog?.open ? dialog.dataset.key : "");

export async function refresh() {
  const key = shown();
  const chart = key && (await fetchOne(key, POINTS));
  if (!chart?.figure || shown() !== key) return;
  dialog.querySelector("[data-title]").textContent = chart.title;
  dialog.querySelector("[data-unit]").textContent = chart.unit;
  const plot = dialog.querySelector(".plot");
  for (const trace of legendTraces(chart)) trace.hoverinfo = "all"; // alone, it says its values itself, and whose they are
  const isNew = !plot.classList.contains("js-plotly-plot");
  await draw(plot, chart, {
    hovermode: "x unified",
    height: Math.max(280, window.innerHeight - 160),
    autosize: true,
    showlegend: legendTraces(chart).length > 1,
  });
  if (isNew) rollouts.open(plot);
}

export function open(key) {
  if (dialog.open) return;
  dialog.dataset.key = key;
  dialog.showModal();
  keep("chart", key);
  refresh();
}

export function connect(fetching) {
  fetchOne = fetching;
  if (!dialog) return;
  dialog.addEventListener("close", () => {
    keep("chart", "");
    Plotly.purge(dialog.querySelector(".plot"));
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  if (kept("chart")) open(kept("chart"));
}
