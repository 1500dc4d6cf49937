// The list of experiments: which are chosen, with all shown at once and ranges by Shift, and which columns are shown.

const listed = document.getElementById("listed");
const list = document.getElementById("experiments");
const bar = document.getElementById("chosen");
let last = null;

const picks = () => [...list.querySelectorAll('input[name="experiment"]')];

function say() {
  const every = picks();
  const chosen = every.filter((one) => one.checked).length;
  bar.querySelector("[data-count]").textContent = `${chosen} chosen`;
  const all = list.querySelector("[data-pick-all]");
  if (!all) return;
  all.checked = chosen > 0 && chosen === every.length;
  all.indeterminate = chosen > 0 && chosen < every.length;
}

function pick(every, checked) {
  for (const one of every) one.checked = checked;
  say();
}

list.addEventListener("click", ({ target, shiftKey }) => {
  if (target.matches("[data-pick-all]")) return pick(picks(), target.checked);
  if (!target.matches('input[name="experiment"]')) return;
  const every = picks();
  const [from, to] = [every.findIndex((one) => one.id === last), every.indexOf(target)].sort((a, b) => a - b);
  if (shiftKey && from >= 0) pick(every.slice(from, to + 1), target.checked);
  last = target.id;
  say();
});

bar.addEventListener("click", ({ target }) => {
  if (target.matches("[data-pick]")) pick(picks(), target.dataset.pick === "all");
});

document.addEventListener("click", ({ target }) => {
  if (target.matches("[data-close]")) target.closest(".toast").remove();
});

document.addEventListener("htmx:after:swap", say);
say();

// A cookie, which the server reads, so that the page comes as it will stay.

const columns = document.querySelector("[data-columns]");
if (columns) {
  columns.hidden = false;
  columns.addEventListener("input", (event) => {
    event.stopPropagation(); // it narrows nothing
    const hidden = [...columns.querySelectorAll("input:not(:checked)")].map((one) => one.value);
    listed.dataset.hide = hidden.join(" ");
    // biome-ignore lint/suspicious/noDocumentCookie: without HTTPS browsers have no cookie store
    document.cookie = `hidden-columns=${hidden.join("-")}; path=/; max-age=31536000; samesite=lax`;
  });
}
