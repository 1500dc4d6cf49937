// What stops hours of work asks first: a form says in data-ask what it is about to do.

document.addEventListener("submit", (event) => {
  const { ask } = event.target.dataset;
  if (ask && !confirm(ask)) event.preventDefault();
});
