// Choices above a page are applied when one of them changes; the page then is where it was, and so is the focus.
// A link that narrows a list says so by its own fragment instead.

const KEPT = "mulberry.place";

for (const form of document.querySelectorAll("form[data-at-once]")) {
  form.addEventListener("change", ({ target }) => {
    const kept = { path: location.pathname, y: scrollY, name: target.name, value: target.type === "checkbox" ? target.value : null };
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
    form.requestSubmit();
  });
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
