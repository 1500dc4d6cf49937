// Puts new rollouts at the top of the list as they arrive; "Hold still" keeps them back while somebody reads.

const list = document.getElementById("rollouts");
const count = document.getElementById("rollout-count");
const hold = document.getElementById("hold");
let shown = 60;
let kept = []; // batches that arrived while held, oldest first
let attempts = null;

function articles(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return [...holder.content.querySelectorAll("article")];
}

function put(html) {
  const fresh = articles(html).filter((article) => !document.getElementById(article.id));
  for (const article of fresh) article.classList.add("arrived");
  list.querySelector("[data-empty]")?.remove();
  list.prepend(...fresh);
  while (list.childElementCount > shown) list.lastElementChild.remove();
}

function say() {
  const waiting = kept.reduce((sum, html) => sum + articles(html).length, 0);
  hold.textContent = hold.getAttribute("aria-pressed") === "false" ? "Hold still" : waiting ? `Show ${waiting} newer` : "Held still";
}

document.body.addEventListener("live:rollouts", ({ detail }) => {
  shown = detail.shown;
  count.textContent = detail.total.toLocaleString("en");
  if (!detail.html.includes("<article")) return;
  if (hold.getAttribute("aria-pressed") === "true") kept.push(detail.html);
  else put(detail.html);
  say();
});

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
