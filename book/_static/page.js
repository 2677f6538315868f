// Small helps that the theme does not give.

// Blocks that scroll sideways must be reachable by keyboard: a stop for Tab,
// only where there is something to scroll, and a name for screen readers.
const SCROLLING = ".drawing-part, div.math, mjx-container, .cell_output .output, pre, "
  + ".pst-scrollable-table-container";

function markScrolling() {
  for (const block of document.querySelectorAll(SCROLLING)) {
    if (block.scrollWidth > block.clientWidth + 1) {
      block.tabIndex = 0;
    } else if (block.tabIndex === 0 && !block.matches("a, button, input")) {
      block.removeAttribute("tabindex");
    }
  }
}

// A page opened from a folder may not fetch other pages, which the search does
// for its excerpts. Without them it lists titles, and works.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

window.addEventListener("load", () => {
  markScrolling();
  window.addEventListener("resize", markScrolling);
  // Formulas get their width when MathJax has drawn them.
  window.MathJax?.startup?.promise?.then(markScrolling);
});
