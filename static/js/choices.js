// Choices above a page are applied when one of them changes; the page then is where it was, and so is the focus.
// A link that narrows a list says so by its own fragment instead.

// A choice that was made before this script ran is applied when it runs; the forms turn a browser's own filling in off
// (autocomplete), so that what differs from the page's defaults was chosen by the person.

const KEPT = "mulberry.place";

function apply(form, field) {
  const kept = { path: location.pathname, y: scrollY, name: field.name, value: field.type === "checkbox" ? field.value : null };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
  form.requestSubmit();
}

function chosenByHand(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.type !== "hidden" && field.value !== field.defaultValue;
  const asMade = [...field.options].findLastIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(asMade, 0);
}

for (const form of document.querySelectorAll("form[data-at-once]")) {
  form.addEventListener("change", ({ target }) => apply(form, target));
  const early = [...form.elements].find((field) => field.name && chosenByHand(field));
  if (early) apply(form, early);
  addEventListener("pageshow", ({ persisted }) => persisted && form.reset()); // Back shows what the page is about
}

const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
sessionStorage.removeItem(KEPT);
if (kept?.path === location.pathname) {
  const fields = [...document.querySelectorAll("form[data-at-once] [name]")].filter((one) => one.name === kept.name);
  const field = fields.find((one) => kept.value === null || one.value === kept.value);
  field?.closest("details")?.setAttribute("open", "");
  field?.focus({ preventScroll: true });
  scrollTo({ top: kept.y, behavior: "instant" });
}
