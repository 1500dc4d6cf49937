// Tokens of a group: the values of the token under the pointer, or of the one that has the focus, are said above them and
// marked in the chart. Arrow keys go from token to token, and to the same place of another completion.

const texts = () => [...document.querySelectorAll("#tokens .tokens")];
const placeOf = (token) => [...token.parentElement.children].indexOf(token);

function show(place, chosen) {
  for (const token of document.querySelectorAll("#tokens .at")) token.classList.remove("at");
  const cursor = document.querySelector("#tokens .cursor");
  for (const end of ["x1", "x2"]) cursor?.setAttribute(end, place + 0.5);
  const others = [];
  for (const text of texts()) {
    const token = text.children[place];
    if (!token) continue;
    token.classList.add("at");
    others.push(`${text.dataset.number}: ${token.dataset.value}`);
  }
  const said = chosen ?? document.querySelector("#tokens .at");
  document.getElementById("token-values").textContent = said
    ? `“${said.textContent.trim()}” of completion ${said.parentElement.dataset.number}, ${said.title}`
    : document.querySelector(".token-values").dataset.hint;
  document.getElementById("token-others").textContent = others.length > 1 ? `here in each completion: ${others.join(" · ")}` : "";
}

function pointedAt(event) {
  const token = event.target.closest?.("#tokens .tokens > span");
  if (token) show(placeOf(token), token);
}

// What scrolls under a resting pointer is not pointed at: somebody goes along by keyboard.
function pointed(event) {
  if (!event.movementX && !event.movementY) return;
  pointedAt(event);
  const drawing = event.target.closest?.("#tokens .token-chart svg[viewBox]");
  if (!drawing) return;
  const { left, width } = drawing.getBoundingClientRect();
  show(Math.min(Math.floor(((event.clientX - left) / width) * drawing.viewBox.baseVal.width), drawing.viewBox.baseVal.width - 1));
}

function goTo(token) {
  if (!token) return;
  token.tabIndex = -1;
  token.focus();
}

document.addEventListener("focusin", pointedAt);
document.addEventListener("pointermove", pointed);
document.addEventListener("keydown", (event) => {
  const text = event.target.closest?.("#tokens .tokens");
  if (!text || event.ctrlKey || event.metaKey || event.altKey) return;
  const token = event.target.closest(".tokens > span");
  const place = token ? placeOf(token) : -1;
  const every = texts();
  const other = (by) => every[every.indexOf(text) + by]?.children;
  const nearest = (tokens) => tokens?.[Math.min(Math.max(place, 0), tokens.length - 1)];
  const moves = {
    ArrowRight: () => text.children[place + 1],
    ArrowLeft: () => text.children[Math.max(place - 1, 0)],
    ArrowDown: () => nearest(other(1)),
    ArrowUp: () => nearest(other(-1)),
    Home: () => text.firstElementChild,
    End: () => text.lastElementChild,
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  goTo(moves[event.key]());
});
