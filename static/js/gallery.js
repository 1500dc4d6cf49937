// The gallery's filter: recipes that hold all words stay, while they are typed; the address says the same.
const box = document.getElementById("q");
const recipes = [...document.querySelectorAll("#gallery .gallery > li")];

function filter() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const recipe of recipes) recipe.hidden = !words.every((word) => recipe.dataset.words.includes(word));
  const shown = recipes.filter((recipe) => !recipe.hidden).length;
  document.getElementById("shown").textContent = `${shown} of ${recipes.length} recipes`;
  for (const group of document.querySelectorAll("#gallery > section")) {
    group.hidden = group.querySelector(".gallery > li:not([hidden])") === null;
  }
  document.getElementById("none").hidden = shown > 0;
  history.replaceState(null, "", box.value ? `?q=${encodeURIComponent(box.value)}` : location.pathname);
}

box.addEventListener("input", filter);
document.getElementById("filter").addEventListener("submit", (event) => { event.preventDefault(); filter(); });
