// The launch page: fields of another size, conditions added and removed, what was changed marked, lines of the text.
const form = document.getElementById("recipe");
const fields = document.getElementById("fields");
const changes = document.getElementById("changes");
const text = document.getElementById("yaml");
let latest = 0;

// The fields again, after the server did what a button or another size says.
async function fetchFields(button) {
  const data = new FormData(form);
  if (button) data.set("do", button.value);
  const mine = ++latest;
  const path = location.pathname;
  const answer = await fetch(`${path}fields/`, { method: "POST", body: data });
  if (!answer.ok) { form.requestSubmit(form.querySelector('[name="review"][value="1"]')); return; }
  const shown = await answer.text();
  if (mine !== latest) return;
  const open = [...fields.querySelectorAll("details[open]")].map((one) => one.id);
  const focus = document.activeElement?.id;
  fields.innerHTML = shown; // escaped by the server's templates
  for (const one of fields.querySelectorAll("details")) if (open.includes(one.id)) one.open = true;
  if (focus) document.getElementById(focus)?.focus();
  if (button?.value === "add") [...fields.querySelectorAll('#field-conditions thead input[type="text"]')].at(-1)?.select();
  history.replaceState(null, "", answer.headers.get("X-Address"));
  count();
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

form.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.name === "review" && button.value === "enter") { // Enter in a field: the plan follows, nothing else
    event.preventDefault();
    form.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (button?.name === "do" && button.value !== "switch") {
    event.preventDefault();
    fetchFields(button);
  }
});

form.addEventListener("change", (event) => {
  if (event.target.name === "scale") fetchFields(null);
});

// What is not as the recipe has it is marked at once.
function textOf(control) {
  return control.type === "checkbox" ? String(control.checked) : control.value.trim();
}
function control(field) {
  return field.querySelector('input:not([type="hidden"]), select, textarea');
}
function count() {
  const number = fields.querySelectorAll(".field.changed").length;
  changes.textContent = number ? `${number} setting${number > 1 ? "s" : ""} changed` : "";
}
fields.addEventListener("input", (event) => {
  const field = event.target.closest(".field[data-was]");
  if (field) {
    const changed = textOf(control(field)) !== field.dataset.was;
    field.classList.toggle("changed", changed);
    field.querySelector(".was").hidden = !changed;
    count();
  }
  event.target.closest("td")?.classList.toggle("differs", event.target.value.trim() !== "");
});
fields.addEventListener("click", (event) => {
  const field = event.target.closest("[data-reset]")?.closest(".field");
  if (!field) return;
  const one = control(field);
  if (one.type === "checkbox") one.checked = field.dataset.was === "true";
  else one.value = field.dataset.was;
  one.dispatchEvent(new Event("input", { bubbles: true }));
  one.focus();
});

// A stage of the tree, or a problem, opens the settings that it names.
function reveal() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place || !fields.contains(place)) return;
  for (let one = place; one; one = one.parentElement?.closest("details")) if (one.tagName === "DETAILS") one.open = true;
  place.scrollIntoView();
  (place.querySelector("summary") ?? place).focus();
}
addEventListener("hashchange", reveal);
document.addEventListener("click", (event) => {
  if (event.target.closest("a")?.hash === location.hash && location.hash) reveal(); // the same place again
});
if (location.hash) reveal();

// What a person unfolded in the plan stays so when it is fetched again.
let unfolded = [];
const plan = document.getElementById("plan");
plan.addEventListener("htmx:before:swap", () => {
  unfolded = [...plan.querySelectorAll("details[open]")].map((one) => one.id);
});
plan.addEventListener("htmx:after:swap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
  if (text) marked();
});

// The text's line numbers, and the lines in which something is wrong.
const numbers = document.getElementById("lines");
function numbered() {
  const count = text.value.split("\n").length;
  while (numbers.children.length > count) numbers.lastChild.remove();
  while (numbers.children.length < count) numbers.append(Object.assign(document.createElement("span"), { textContent: numbers.children.length + 1 }));
}
function marked() {
  const wrong = new Set([...plan.querySelectorAll("[data-line]")].map((one) => one.dataset.line));
  for (const [i, one] of [...numbers.children].entries()) one.classList.toggle("wrong", wrong.has(String(i + 1)));
  text.setAttribute("aria-invalid", String(wrong.size > 0));
}
function goTo(line) {
  const before = text.value.split("\n").slice(0, line - 1).join("\n");
  const start = line > 1 ? before.length + 1 : 0;
  const end = text.value.indexOf("\n", start);
  text.focus({ preventScroll: true });
  text.setSelectionRange(start, end < 0 ? text.value.length : end);
  text.scrollTop = (line - 4) * parseFloat(getComputedStyle(text).lineHeight);
  text.scrollIntoView({ block: "nearest" });
}
if (text) {
  text.addEventListener("input", numbered);
  text.addEventListener("scroll", () => { numbers.scrollTop = text.scrollTop; });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    if (link) { event.preventDefault(); goTo(Number(link.dataset.line)); }
  });
  numbered();
}
