// The choices above the charts and the page's address are the same thing.

const NAMES = ["x", "runs", "smooth", "logx", "logy", "clip", "hide", "hide_seeds"]; // in the order in which the server writes them
const form = document.getElementById("chart-choices");

const address = () => new URLSearchParams(location.search);

export function keep(name, value) {
  const query = address();
  if (value) query.set(name, value);
  else query.delete(name);
  const text = query.toString();
  history.replaceState(history.state, "", `${location.pathname}${text ? `?${text}` : ""}${location.hash}`);
}

export const kept = (name) => address().get(name) ?? "";

// What the server is asked with: what the form shows, which the server has filled from the address.
export function chosen() {
  const values = NAMES.map((name) => [name, form ? read(name) : ""]);
  return new URLSearchParams(values.filter(([, value]) => value));
}

const controls = (name) => [...form.querySelectorAll(`[name="${name}"]`)];

function read(name) {
  if (name.startsWith("hide")) return controls(name).filter((one) => !one.checked).map((one) => one.value).join(",");
  const [control] = controls(name);
  if (control.type === "checkbox") return control.checked ? "1" : "";
  if (control.type === "range") return Number(control.value) === Number(control.dataset.usual) ? "" : control.value;
  return control.value === control.dataset.usual ? "" : control.value;
}

function tell() {
  form.querySelector("output").textContent = Number(form.elements.smooth.value).toFixed(2);
  form.querySelector("[data-reset]").hidden = !chosen().toString();
  form.querySelector("[data-legend]").hidden = form.elements.runs.value === "own";
}

export function connect(changed) {
  if (!form) return;
  let later = 0;
  form.addEventListener("input", (event) => {
    keep(event.target.name, read(event.target.name));
    tell();
    clearTimeout(later);
    later = setTimeout(changed, event.target.type === "range" ? 150 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("[data-reset]").addEventListener("click", () => {
    for (const name of NAMES) keep(name, "");
    for (const control of form.elements) {
      if (control.type === "checkbox") control.checked = control.name.startsWith("hide");
      else if (control.dataset.usual) control.value = control.dataset.usual;
    }
    tell();
    form.elements.x.focus();
    changed();
  });
  tell();
}
