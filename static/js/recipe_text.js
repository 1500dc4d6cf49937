// The text of a recipe: numbers of its lines, those in which something is wrong, indentation by Tab. After Escape, Tab leaves the text.
const text = document.getElementById("yaml");
const numbers = document.getElementById("lines");
const plan = document.getElementById("plan");
const INDENT = "  ";
let leaves = false; // Escape was pressed: the next Tab goes on to the next control

function numbered() {
  const count = text.value.split("\n").length;
  while (numbers.children.length > count) numbers.lastChild.remove();
  while (numbers.children.length < count) numbers.append(Object.assign(document.createElement("span"), { textContent: numbers.children.length + 1 }));
}
function marked() {
  const wrong = new Set([...plan.querySelectorAll("[data-line]")].map((one) => one.dataset.line));
  for (const [i, one] of [...numbers.children].entries()) one.classList.toggle("wrong", wrong.has(String(i + 1)));
  text.setAttribute("aria-invalid", String(wrong.size > 0));
}
function goTo(line) {
  const before = text.value.split("\n").slice(0, line - 1).join("\n");
  const start = line > 1 ? before.length + 1 : 0;
  const end = text.value.indexOf("\n", start);
  text.focus({ preventScroll: true });
  text.setSelectionRange(start, end < 0 ? text.value.length : end);
  text.scrollTop = (line - 4) * parseFloat(getComputedStyle(text).lineHeight);
  text.scrollIntoView({ block: "nearest" });
}

// The lines that are selected, moved by one level; a cursor alone in a line gets the spaces where it is.
function indent(back) {
  const { selectionStart: from, selectionEnd: to, value } = text;
  const start = value.lastIndexOf("\n", from - 1) + 1;
  if (from === to && !back) { insert(INDENT); return; }
  const lines = value.slice(start, to).split("\n");
  const moved = lines.map((line) => (back ? line.replace(/^ {1,2}/, "") : line && INDENT + line)).join("\n");
  text.setSelectionRange(start, to);
  insert(moved);
  const first = lines[0].length - moved.split("\n")[0].length;
  text.setSelectionRange(from === to ? Math.max(start, from - first) : start, from === to ? Math.max(start, from - first) : start + moved.length);
}
function insert(written) { // so that undo knows of it
  if (!document.execCommand("insertText", false, written)) {
    text.setRangeText(written, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

if (text) {
  text.addEventListener("input", numbered);
  text.addEventListener("scroll", () => { numbers.scrollTop = text.scrollTop; });
  text.addEventListener("blur", () => { leaves = false; });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !leaves && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      indent(event.shiftKey);
    } else if (event.key !== "Shift" && event.key !== "Tab") leaves = event.key === "Escape";
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    if (link) { event.preventDefault(); goTo(Number(link.dataset.line)); }
  });
  plan.addEventListener("htmx:after:swap", marked);
  numbered();
  marked();
}
