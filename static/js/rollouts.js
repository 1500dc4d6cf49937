// Puts new rollouts at the top of the list as they arrive; "Hold still" keeps them back while somebody reads.
// A list with data-narrowed shows only what fits its filter.

const list = document.getElementById("rollouts");
const count = document.getElementById("rollout-count");
const hold = document.getElementById("hold");
let shown = 60;
let kept = []; // batches that arrived while held, oldest first
let attempts = null;
const asking = new Set(); // waits that have a question under way

function articles(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return [...holder.content.querySelectorAll("article")];
}

function put(html) {
  const fresh = articles(html).filter((article) => !document.getElementById(article.id));
  for (const article of fresh) article.classList.add("arrived");
  if (!fresh.length) return;
  list.querySelector("[data-empty]")?.remove();
  list.prepend(...fresh);
  while (list.childElementCount > shown) list.lastElementChild.remove();
}

function say() {
  const waiting = new Set(kept.flatMap(articles).map((one) => one.id).filter((id) => !document.getElementById(id))).size;
  hold.textContent = hold.getAttribute("aria-pressed") === "false" ? "Hold still" : waiting ? `Show ${waiting} newer` : "Held still";
}

document.body.addEventListener("live:rollouts", ({ detail }) => {
  shown = detail.shown;
  count.textContent = detail.total.toLocaleString("en");
  if (!detail.html.includes("<article")) return;
  if (list.hasAttribute("data-narrowed")) return askAgain();
  take(detail.html);
});

function take(html) {
  if (hold.getAttribute("aria-pressed") === "true") kept.push(html);
  else put(html);
  say();
}

// A narrowed list asks which of the new rollouts fit, soon and once more when their words are in the index.
function askAgain() {
  for (const wait of [1000, 6000]) {
    if (asking.has(wait)) continue;
    asking.add(wait);
    setTimeout(async () => {
      asking.delete(wait);
      const response = await fetch(list.dataset.source);
      if (response.ok) take(await response.text());
    }, wait);
  }
}

// A new attempt samples some steps again: those of the old one no longer count, so the list is fetched whole.
document.body.addEventListener("live:state", async ({ detail }) => {
  if (attempts !== null && attempts !== detail.attempts) {
    const response = await fetch(list.dataset.source);
    if (response.ok) {
      kept = [];
      list.innerHTML = await response.text();
      say();
    }
  }
  attempts = detail.attempts;
});

hold.addEventListener("click", () => {
  const held = hold.getAttribute("aria-pressed") === "true";
  hold.setAttribute("aria-pressed", String(!held));
  kept.splice(0).forEach(put);
  say();
});
