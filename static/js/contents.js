// A document's contents: the section that is read is marked.
const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
const headings = [...links.keys()].map((id) => document.getElementById(decodeURIComponent(id))).filter(Boolean);
const BELOW = 96; // px from the window's top: a heading above it has been reached

function mark() {
  const ended = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const reached = headings.filter((one) => one.getBoundingClientRect().top < BELOW);
  const here = ended ? headings.at(-1) : (reached.at(-1) ?? headings[0]);
  for (const [id, link] of links) {
    if (id === here?.id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

let waits = false;
addEventListener("scroll", () => {
  if (waits) return;
  waits = true;
  requestAnimationFrame(() => { waits = false; mark(); });
}, { passive: true });
mark();
