// A point of a run's curve opens the rollouts of the steps that it speaks for.

const pages = document.getElementById("charts")?.dataset.rollouts; // the address of run 0's list
const NEAR = 16; // pixels between pointer and curve
const SECOND_CLICK = 300; // milliseconds: two clicks show the whole axis again

export const opensRollouts = Boolean(pages);

// Where a point's rollouts are; "" where it is no run's, or the run samples none.
export function rolloutsOf(trace, place) {
  const { run, every, steps } = trace?.meta ?? {};
  const step = (steps ?? trace?.x)?.[place];
  if (!pages || !run || !Number.isInteger(step)) return "";
  const from = Math.min(step, Math.max(1, step - every + 1));
  return `${pages.replace("/0/", `/${run}/`)}?${new URLSearchParams({ from_step: from, to_step: step })}`;
}

// The point under the pointer, of those that Plotly names at one x.
function nearest(plot, { points, event }) {
  const axis = plot._fullLayout.yaxis;
  const y = event.clientY - plot.getBoundingClientRect().top - axis._offset;
  return points
    .map((point) => ({ apart: Math.abs(axis.d2p(point.y) - y), address: rolloutsOf(point.data, point.pointNumber) }))
    .filter((one) => one.address && one.apart <= NEAR)
    .sort((a, b) => a.apart - b.apart)[0];
}

// Called once for each chart. A finger reads values by its tap; the points as a table have links for it.
export function open(plot) {
  if (!pages || matchMedia("(hover: none)").matches) return;
  let later = 0;
  plot.on("plotly_hover", (change) => plot.toggleAttribute("data-opens", Boolean(nearest(plot, change))));
  plot.on("plotly_unhover", () => plot.removeAttribute("data-opens"));
  plot.on("plotly_doubleclick", () => clearTimeout(later));
  plot.on("plotly_click", (change) => {
    clearTimeout(later);
    const found = nearest(plot, change);
    if (!found) return;
    if (change.event.ctrlKey || change.event.metaKey) window.open(found.address);
    else later = setTimeout(() => location.assign(found.address), SECOND_CLICK);
  });
}
