// Run only by browsers without modules, in words that they understand.
document.addEventListener("DOMContentLoaded", function () {
  document.getElementById("status").textContent =
    "This browser is too old for the page: it needs JavaScript modules and WebAssembly " +
    "(Chrome or Edge 92, Firefox 90, Safari 16.4, or newer).";
});
