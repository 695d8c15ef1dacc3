// Says that something goes on while Spayon's page is being opened. Nothing needs it.
(() => {
  "use strict";

  // A payment page that opens at once needs no words.
  const PATIENCE = 1000;

  const told = document.getElementById("spayon-opening");
  const form = told && told.closest("form");
  if (!form) return;

  const show = () => { told.hidden = false; };
  let timer;

  form.addEventListener("submit", () => {
    clearTimeout(timer);
    timer = setTimeout(show, PATIENCE);
  });

  // Whoever comes back by the browser's own button finds the page as it was left.
  window.addEventListener("pageshow", () => {
    clearTimeout(timer);
    told.hidden = true;
  });
})();
