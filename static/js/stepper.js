// The stepper: one stage's completions at a time, by buttons, by the track's marks and by the arrow keys; the address follows.

const steps = [...document.querySelectorAll("[data-step]")];
const names = steps.map((step) => step.dataset.step);
const said = document.getElementById("step-said");
let shown = steps.findIndex((step) => !step.hidden);

function at(address, name) {
  const found = new URL(address, location.href);
  found.searchParams.set("stage", name);
  return found.href;
}

function show(place) {
  if (place < 0 || place >= steps.length || place === shown) return;
  const back = document.activeElement?.dataset?.by; // the same button of the stage that is shown keeps the focus
  shown = place;
  const name = names[place];
  for (const [other, step] of steps.entries()) step.hidden = other !== place;
  for (const link of document.querySelectorAll(".track a[data-read]")) {
    if (link.dataset.stage === name) link.setAttribute("aria-current", "step");
    else link.removeAttribute("aria-current");
  }
  for (const link of document.querySelectorAll("a[data-keeps]")) link.href = at(link.href, name);
  history.replaceState(null, "", at(location.href, name));
  said.textContent = `After ${name}, stage ${place + 1} of ${steps.length}`;
  if (back) steps[place].querySelector(`[data-by="${back}"]`).focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-by]");
  if (button) return show(shown + Number(button.dataset.by));
  const mark = event.target.closest(".track a[data-read]");
  if (!mark || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(names.indexOf(mark.dataset.stage));
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.target.closest("input, textarea, select, dialog, .scroll")) return; // where arrows do something else
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) show(shown + by);
});
