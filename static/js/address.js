// The page's address follows a fragment that was chosen on it: the fragment says which address shows it again.

document.addEventListener("htmx:after:swap", () => {
  const chosen = document.querySelector("[data-address]")?.dataset.address;
  if (chosen && chosen !== location.pathname + location.search) history.replaceState(null, "", chosen + location.hash);
});
