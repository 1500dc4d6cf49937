// Keys of a group's page: N and P go to the next and the previous group while no field is being filled in.

document.getElementById("completions-list").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const rel = { n: "next", p: "prev" }[event.key];
  if (rel) document.querySelector(`nav.pages a[rel="${rel}"]`)?.click();
});
