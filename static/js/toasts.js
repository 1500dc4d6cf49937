// Notifications that arrive while a page is open: the count in the bar, and a message that stays until it is dismissed.

const place = document.getElementById("toasts");
const KEPT = 3;

function toast({ id, kind, title, text }) {
  const made = document.createElement("div");
  made.className = `toast toast-${kind}`;
  const link = document.createElement("a");
  link.href = place.dataset.link.replace("/0/", `/${id}/`);
  link.textContent = title;
  const more = document.createElement("p");
  more.className = "muted small";
  more.textContent = text.length > 160 ? `${text.slice(0, 160)} …` : text;
  const dismiss = document.createElement("button");
  dismiss.type = "button";
  dismiss.className = "button button-quiet";
  dismiss.textContent = "Dismiss";
  dismiss.setAttribute("aria-label", `Dismiss: ${title}`);
  dismiss.addEventListener("click", () => made.remove());
  made.append(link, more, dismiss);
  return made;
}

document.body.addEventListener("live:notifications", ({ detail }) => {
  document.body.dataset.newest = detail.seen;
  for (const mark of document.querySelectorAll("[data-unread]")) {
    mark.textContent = detail.unread ? ` (${detail.unread})` : "";
  }
  place.append(...detail.new.map(toast));
  while (place.childElementCount > KEPT) place.firstElementChild.remove();
});
