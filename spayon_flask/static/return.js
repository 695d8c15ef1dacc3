// Keeps the return page up to date while a payment is pending. Without it, "Check again" does.
(() => {
  "use strict";

  const FIRST_WAIT = 2000;
  const LONGEST_WAIT = 15000;
  const GROWTH = 1.4;
  // A payment session lives 15 minutes; a page left open past that asks no more.
  const GIVE_UP_AFTER = 20 * 60 * 1000;

  const id = "spayon-status";
  const opened = Date.now();
  let wait = FIRST_WAIT;
  let asking = false;
  let timer;

  const waiting = (region) => region.dataset.state === "pending";

  function show(fresh, title) {
    const region = document.getElementById(id);
    const held = region.contains(document.activeElement);
    region.replaceWith(document.adoptNode(fresh));
    document.title = title;

    const heading = fresh.querySelector("h1");
    if (held && heading) heading.focus();

    // Said once: the region itself is not live, so its other words stay quiet.
    const announcement = document.getElementById("spayon-announcement");
    const message = fresh.querySelector(".spayon-message");
    if (announcement) announcement.textContent = [heading, message]
      .map((part) => (part ? part.textContent.trim().replace(/\s+/g, " ") : ""))
      .join(". ");
  }

  async function check() {
    clearTimeout(timer);
    const region = document.getElementById(id);
    if (asking || !region || !waiting(region)) return;

    asking = true;
    try {
      const answer = await fetch(region.dataset.check || location.href, {
        cache: "no-store",
        headers: { Accept: "text/html", "X-Spayon-Script": "1" },
      });
      if (answer.ok) {
        // The page could not be made before; now it can.
        if (region.dataset.whole) return location.assign(region.dataset.check);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(id);
        if (!fresh) return;
        // The shop's own page of thanks, for which nothing here need be shown before.
        if (fresh.dataset.next) return location.assign(fresh.dataset.next);
        const same = ["state", "slow", "certainty"].every((name) => fresh.dataset[name] === region.dataset[name]);
        if (same) renew(fresh);
        else show(fresh, page.title);
        offline(false);
        if (!waiting(fresh)) return;
      }
    } catch {
      offline(!navigator.onLine);
      // The network is away. The payment is not: ask again later, and claim nothing.
    } finally {
      asking = false;
    }
    later();
  }

  // Nothing has changed but the moment of the last look.
  function renew(fresh) {
    const looked = document.getElementById("spayon-looked");
    const moment = fresh.querySelector("#spayon-looked");
    if (looked && moment) looked.textContent = moment.textContent;
  }

  function offline(is) {
    const told = document.getElementById("spayon-offline");
    if (told) told.hidden = !is;
  }

  function later() {
    if (Date.now() - opened > GIVE_UP_AFTER) return stop();
    timer = setTimeout(() => { if (!document.hidden) check(); }, wait);
    wait = Math.min(wait * GROWTH, LONGEST_WAIT);
  }

  // What turns says that something goes on: nothing does any more.
  function stop() {
    const region = document.getElementById(id);
    const spinner = region && region.querySelector(".spayon-spinner");
    const trying = document.getElementById("spayon-trying");
    const stopped = document.getElementById("spayon-stopped");
    const announcement = document.getElementById("spayon-announcement");
    if (spinner) spinner.classList.add("spayon-spinner-stopped");
    if (trying) trying.hidden = true;
    if (stopped) stopped.hidden = false;
    if (stopped && announcement) announcement.textContent = stopped.textContent.trim();
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) check(); });
  window.addEventListener("offline", () => offline(true));
  window.addEventListener("online", () => { offline(false); check(); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) check(); });
  later();
})();
