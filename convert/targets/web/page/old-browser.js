// Runs only in browsers without modules, so it uses old syntax.
document.addEventListener("DOMContentLoaded", function () {
  document.getElementById("status").textContent =
    "This browser is too old for the page: it needs JavaScript modules " +
    "(Chrome or Edge 97, Firefox 104, Safari 16.4, or newer).";
});
