// Keys of a group's page and of a pair's: N and P go to the next and the previous one while no field is being filled in.

document.getElementById("completions-list").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const rel = { n: "next", p: "prev" }[event.key];
  if (rel) document.querySelector(`nav.pages a[rel="${rel}"]`)?.click();
});

// The other condition is shown as soon as it is chosen.
document.querySelector(".pair-choice")?.addEventListener("change", ({ currentTarget }) => currentTarget.requestSubmit());
