// Runs only in browsers without modules, so it uses old syntax.
document.addEventListener("DOMContentLoaded", function () {
  document.getElementById("status").textContent =
    "This browser is too old for the page: it needs JavaScript modules and WebAssembly " +
    "(Chrome or Edge 92, Firefox 90, Safari 16.4, or newer).";
});
