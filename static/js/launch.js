// The launch page: fields of another size, conditions added and removed, what was changed marked, what is wrong said at its field.
const form = document.getElementById("recipe");
const fields = document.getElementById("fields");
const changes = document.getElementById("changes");
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
  changes.replaceChildren();
  if (number === 0) return;
  const link = Object.assign(document.createElement("a"), { textContent: `${number} setting${number > 1 ? "s" : ""} changed` });
  link.href = `#${control(fields.querySelector(".field.changed")).id}`;
  changes.append(link);
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
  for (const one of plan.querySelectorAll("[data-place]")) {
    document.getElementById(one.dataset.place)?.replaceChildren(...[...one.children].map((child) => child.cloneNode(true)));
  }
  faults();
  named();
});

// Where nothing new would be trained, launching is not what the page suggests.
function named() {
  const again = document.getElementById("nothing-new") !== null;
  const launch = document.getElementById("launch");
  launch.classList.toggle("button-primary", !again);
  launch.textContent = again ? "Launch anyway" : "Launch";
}

// From the first letter until the plan is that of what the page holds, it is dimmed and busy.
function busy() {
  plan.setAttribute("aria-busy", String("stale" in plan.dataset || plan.classList.contains("htmx-request")));
}
form.addEventListener("input", () => { plan.dataset.stale = ""; busy(); });
plan.addEventListener("htmx:after:request", () => { delete plan.dataset.stale; });
new MutationObserver(busy).observe(plan, { attributes: true, attributeFilter: ["class", "data-stale"] });

// What the plan says must be fixed stands at its field, too; what was fixed no longer does.
function faults() {
  for (const one of fields.querySelectorAll(":is(.field, td, th) .error, .error[data-copied]")) one.remove();
  for (const one of fields.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  for (const link of plan.querySelectorAll("[data-wrong]")) {
    const place = document.getElementById(`field-${link.dataset.wrong}`);
    if (!place) continue;
    const said = Object.assign(document.createElement("span"), { className: "error", textContent: link.nextElementSibling.textContent });
    said.dataset.copied = "";
    for (let one = place.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
    const help = document.getElementById(`${place.id}-help`);
    if (help) {
      place.setAttribute("aria-invalid", "true");
      help.prepend(said);
    } else if (place.matches("fieldset, details")) place.firstElementChild.after(said);
    else place.prepend(said);
  }
}

// A condition's column is headed by its name, as it is typed.
fields.addEventListener("input", (event) => {
  const { name, value } = event.target;
  if (!/^conditions\..+\.name$/.test(name)) return;
  for (const one of fields.querySelectorAll("[data-named]")) if (one.dataset.named === name) one.textContent = value;
  for (const one of fields.querySelectorAll("[data-of]")) if (one.dataset.of === name) one.setAttribute("aria-label", `${one.dataset.sets} in ${value}`);
});

// A browser that brings back what was entered before a reload brings no plan of it.
addEventListener("load", () => {
  const kept = [...form.elements].some((one) => (one.type === "checkbox" ? one.checked !== one.defaultChecked
    : one.type !== "hidden" && "defaultValue" in one && one.value !== one.defaultValue));
  if (kept) form.dispatchEvent(new Event("input", { bubbles: true }));
});
