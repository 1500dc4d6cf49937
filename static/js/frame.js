// What every page has: the palette, the keys, messages about what happened, menus that close, questions before what stops work,
// the theme, times in the reader's zone.

import { recent } from "./palette.js";
import "./ask.js";
import "./keys.js";
import "./menus.js";
import "./theme.js";
import "./times.js";
import "./toasts.js";

// Choices may have changed the address since the page came.
for (const form of document.querySelectorAll(".save-view")) {
  form.addEventListener("submit", () => {
    form.elements.address.value = location.pathname + location.search + location.hash;
  });
}

const { responseStatus = 200 } = performance.getEntriesByType("navigation")[0] ?? {};
if (responseStatus < 400) recent.visit();
