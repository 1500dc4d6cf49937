// One chart over the whole page: a dialog, so Escape ends it and the focus goes back to where it was.

import { kept, keep } from "./chart_choices.js";
import { draw } from "./chart_figures.js";

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
  for (const trace of chart.figure.data) if (trace.hoverinfo === "none") trace.hoverinfo = "all"; // alone, it says its values itself
  await draw(plot, chart, { hovermode: "x unified", height: Math.max(280, window.innerHeight - 160), autosize: true });
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
