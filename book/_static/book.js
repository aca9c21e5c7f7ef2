// A number's origin is its tooltip; touch and keyboard reach it too, because the number can then have the focus.
document.addEventListener("DOMContentLoaded", () => {
  for (const abbr of document.querySelectorAll("abbr.num[title], abbr.grade[title]")) {
    abbr.tabIndex = 0;
  }
});
