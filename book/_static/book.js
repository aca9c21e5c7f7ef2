// A number's origin is its tooltip; touch and keyboard reach it too, because the number can then have the focus.
document.addEventListener("DOMContentLoaded", () => {
  for (const abbr of document.querySelectorAll("abbr.num[title], abbr.grade[title]")) {
    abbr.tabIndex = 0;
  }
  // A formula wider than the page scrolls; the keyboard can scroll what can have the focus.
  window.MathJax?.startup?.promise?.then(() => {
    for (const formula of document.querySelectorAll("mjx-container[display]")) {
      if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
    }
  });
});
