// Charts are drawn one at a time, when the browser has nothing else to do.

const waiting = new Map(); // entry → what draws it
let planned = false;
const idle = window.requestIdleCallback ?? ((then) => setTimeout(then, 1)); // Safari has none

export const drawing = () => waiting.size > 0;

export function drawSoon(entry, draw) {
  waiting.set(entry, draw);
  plan();
}

function plan() {
  if (planned || !waiting.size) return;
  planned = true;
  idle(() => {
    planned = false;
    const [next] = [...waiting.keys()].filter((entry) => entry.seen).concat([...waiting.keys()]);
    if (next) drawNow(next);
    plan();
  }, { timeout: 500 });
}

function drawNow(entry) {
  const draw = waiting.get(entry);
  waiting.delete(entry);
  draw(entry);
}

// Before the page is printed.
export function drawAll() {
  for (const entry of [...waiting.keys()]) drawNow(entry);
}
