// Light or dark. The server writes what a person chose into the page, so the first picture is right; here it changes without a
// new page. Whoever draws in the style sheet's colours draws again when "theme" is fired on the document.

const sheet = document.getElementById("dark-theme");
const MEDIA = { "": "(prefers-color-scheme: dark)", light: "not all", dark: "all" };

function changed() {
  document.dispatchEvent(new Event("theme"));
}

function choose(theme) {
  sheet.media = MEDIA[theme];
  for (const button of document.querySelectorAll("[data-theme-switch] button")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
  changed();
}

document.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-theme-switch]")) return;
  event.preventDefault();
  const body = new FormData(event.target, event.submitter);
  choose(body.get("theme"));
  const answer = await fetch(event.target.action, { method: "POST", body, headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) location.reload(); // it was not kept: show what holds
});

matchMedia(MEDIA[""]).addEventListener("change", () => {
  if (sheet.media === MEDIA[""]) changed();
});
