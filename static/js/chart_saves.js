// A chart as a file: SVG as Plotly writes it, PNG drawn from that, and JSON that plotly.io.read_json makes a Figure of.

import { token } from "./chart_figures.js";

async function svg(plot, chart) {
  const { width, height } = plot.getBoundingClientRect();
  const size = { width: Math.round(Math.max(width, 640)), height: Math.round(Math.max(height, 360)) };
  const layout = {
    ...plot.layout,
    ...size,
    title: { text: chart.unit ? `${chart.title} (${chart.unit})` : chart.title, font: { size: 14 }, x: 0.02, xanchor: "left" },
    margin: { ...plot.layout.margin, t: 64 },
    paper_bgcolor: token("--paper"),
  };
  const address = await Plotly.toImage({ data: plot.data, layout }, { format: "svg", ...size });
  return { text: decodeURIComponent(address.slice(address.indexOf(",") + 1)), ...size };
}

// A blob: address as the source of an image is against the page's policy, a data: address is not.
async function png({ text, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * width, 2 * height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

async function written(form, plot, chart) {
  if (form === "json") {
    return new Blob([JSON.stringify({ data: plot.data, layout: plot.layout })], { type: "application/json" });
  }
  const drawn = await svg(plot, chart);
  return form === "png" ? png(drawn) : new Blob([drawn.text], { type: "image/svg+xml" });
}

export async function save(form, plot, chart, name) {
  const blob = await written(form, plot, chart);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}-${chart.key.replaceAll(/[:/]/g, "-")}.${form}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
