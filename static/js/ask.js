// What stops work asks first: a form with data-ask leads to a page that says what would end and what is kept. Here the same
// comes as a dialog; the browser closes it on Escape and gives the focus back to the button.

const dialog = document.getElementById("ask");

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-ask]")) return;
  event.preventDefault();
  const address = form.getAttribute("action");
  const answer = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return location.assign(address); // the page says what is wrong
  if (dialog.open) return;
  dialog.innerHTML = await answer.text(); // the server's own page: what people wrote is escaped in it
  dialog.showModal();
});

dialog.addEventListener("submit", ({ target, submitter }) => {
  if (target.method === "post") submitter.disabled = true; // one press is enough
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});
