// Menus of the bar, of downloads and of charts close when something else is clicked, when a file is chosen, and by Escape, which
// gives the focus back.

const OPEN = "details:is(.menu, .downloads, .chart-menu)[open]";

document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll(OPEN)) {
    if (!menu.contains(target) || target.closest("a[download]")) menu.open = false;
  }
});

document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return;
  for (const menu of document.querySelectorAll(OPEN)) {
    const inside = menu.contains(document.activeElement);
    menu.open = false;
    if (inside || menu.matches(".menu")) menu.querySelector("summary").focus();
  }
});
