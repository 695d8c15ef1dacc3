// Counts down the time that is left to pay, by the simulator's clock, and shows the page anew when it
// is over. Without it, the page says what was left when it was loaded, and until when one can pay.
"use strict";

(() => {
  const time = document.querySelector("time[data-left]");
  if (!time) return;

  const began = performance.now();
  const tick = () => {
    const passed = ((performance.now() - began) / 1000) * Number(time.dataset.scale);
    const left = Math.max(0, Math.ceil(Number(time.dataset.left) - passed));
    time.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (left) setTimeout(tick, 1000);
    else location.reload();
  };

  tick();
})();
