// Keeps the inspector up to date: asks once a second whether anything has happened, and if so
// puts the new page in place of the old one. Without it, the pages show what they were loaded with.
"use strict";

(() => {
  const pause = 1000;

  const live = () => document.getElementById("live");

  const busy = () => {
    const selected = document.getSelection();
    const active = document.activeElement;
    return (
      document.hidden ||
      (selected && !selected.isCollapsed) ||
      (active && live().contains(active) && active.matches("input, select, textarea"))
    );
  };

  const names = (selector) => [...live().querySelectorAll(selector)];

  const swap = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) return;

    const opened = names("details").map((details) => details.open);
    const focused = names("a, button").indexOf(document.activeElement);
    const notice = live().querySelector(".notice");
    if (notice && !fresh.querySelector(".notice")) {
      fresh.querySelector(".strip").after(notice);
    }

    live().replaceWith(document.adoptNode(fresh));
    names("details").forEach((details, index) => {
      details.open = opened[index] || false;
    });
    if (focused >= 0) names("a, button")[focused]?.focus({ preventScroll: true });
    read = performance.now();
  };

  const look = async () => {
    if (busy()) return;

    try {
      const { version } = await (await fetch(live().dataset.versionUrl)).json();
      if (version === live().dataset.version) return;

      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok && !busy()) swap(await answer.text());
    } catch {
      // The simulator is being restarted; the next look will find it again.
    }
  };

  let read = performance.now();
  const tick = () => {
    const clock = live().querySelector("[data-clock]");
    const passed = ((performance.now() - read) / 1000) * Number(clock.dataset.scale);
    const now = new Date((Number(clock.dataset.clock) + passed) * 1000);
    clock.textContent = now.toISOString().slice(11, 19);
  };

  const round = async () => {
    tick();
    await look();
    setTimeout(round, pause);
  };

  round();
})();
