// Keeps the inspector up to date: asks once a second whether anything has happened, and if so
// puts the new page in place of the old one, with what was typed. In a tab that nobody looks at, the
// title counts what is new. Shows times in the viewer's own zone if asked to, and copies commands.
// Without it, the pages show what they were loaded with, in UTC.
"use strict";

(() => {
  const pause = 1000;
  const zoneKey = "spayon-simulator-zone";

  const fields = "input:not([type=hidden]), select, textarea";

  const live = () => document.getElementById("live");

  const busy = () => {
    const selected = document.getSelection();
    const active = document.activeElement;
    return (
      (selected && !selected.isCollapsed) ||
      (active && live().contains(active) && active.matches(fields)) ||
      names("input[type=file]").some((field) => field.files.length)
    );
  };

  const names = (selector) => [...live().querySelectorAll(selector)];

  // Times: UTC as the server writes them, or the zone of the viewer.

  const local = () => localStorage.getItem(zoneKey) === "local";

  const two = (number) => String(number).padStart(2, "0");

  const written = (moment) =>
    local()
      ? [
          `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())} `,
          `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`,
        ]
      : [`${moment.toISOString().slice(0, 10)} `, moment.toISOString().slice(11, 19)];

  const write = (time, moment) => {
    const [day, hour] = written(moment);
    const days = time.querySelector(".day");
    if (days) days.textContent = day;
    time.querySelector(".hour").textContent = hour;
  };

  const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

  const showTimes = () => {
    for (const time of names("time[datetime]")) write(time, new Date(time.dateTime));
    for (const name of names(".zone")) name.textContent = local() ? zone() : "UTC";
  };

  const addZoneButton = () => {
    if (zone() === "UTC") return;

    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = local() ? "Show UTC" : `Show ${zone()}`;
    button.addEventListener("click", () => {
      localStorage.setItem(zoneKey, local() ? "utc" : "local");
      button.textContent = local() ? "Show UTC" : `Show ${zone()}`;
      tick();
      showTimes();
    });
    live().querySelector(".clock").after(button);
  };

  // Commands that can be copied.

  const addCopyButtons = () => {
    for (const text of names("pre[data-copy]")) {
      const box = document.createElement("div");
      const button = document.createElement("button");
      box.className = "copied";
      button.type = "button";
      button.className = "small copy";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      });
      text.replaceWith(box);
      box.append(text, button);
    }
  };

  const dress = () => {
    addZoneButton();
    addCopyButtons();
    showTimes();
  };

  // What a person has done to the page: typed, chosen, opened, and where the focus is. A new page may
  // have more of everything, so each element is found again by what it is, not by its place.

  const labelled = (selector) => {
    const seen = new Map();
    return names(selector).map((element) => {
      const of = element.form ? `${element.form.action} ${element.name}` : element.href;
      const words = (element.querySelector("summary") || element).textContent;
      const label = `${of} ${element.matches(fields) ? "" : words}`;
      seen.set(label, (seen.get(label) || 0) + 1);
      return [`${label} ${seen.get(label)}`, element];
    });
  };

  const found = (selector, label) =>
    labelled(selector).find(([other]) => other === label)?.[1];

  const loaded = (field) =>
    field.matches("select")
      ? ([...field.options].find((option) => option.defaultSelected) || field.options[0])?.value
      : field.defaultValue;

  const keep = () => {
    const typed = labelled(fields)
      .filter(([, field]) => field.value !== loaded(field))
      .map(([label, field]) => [label, field.value]);
    const opened = labelled("details").filter(([, details]) => details.open);
    const focused = labelled("a, button").find(([, one]) => one === document.activeElement);

    return () => {
      for (const [label, value] of typed) {
        const field = found(fields, label);
        if (field) field.value = value;
      }
      for (const [label] of opened) found("details", label)?.setAttribute("open", "");
      if (focused) found("a, button", focused[0])?.focus({ preventScroll: true });
    };
  };

  const swap = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) return;

    const putBack = keep();
    const notice = live().querySelector(".notice");
    if (notice && !fresh.querySelector(".notice")) {
      fresh.querySelector(".strip").after(notice);
    }

    live().replaceWith(document.adoptNode(fresh));
    dress();
    putBack();
    read = performance.now();
  };

  const title = document.title;
  let known = null;

  const count = ({ sessions, deliveries, requests }) => {
    const all = Object.values(requests).reduce((sum, each) => sum + each, sessions + deliveries);
    if (known === null || !document.hidden) known = all;
    document.title = all > known ? `(${all - known}) ${title}` : title;
  };

  const look = async () => {
    try {
      const now = await (await fetch(live().dataset.versionUrl)).json();
      count(now);
      if (document.hidden || busy() || now.version === live().dataset.version) return;

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
    write(clock, new Date((Number(clock.dataset.clock) + passed) * 1000));
  };

  const round = async () => {
    tick();
    await look();
    setTimeout(round, pause);
  };

  dress();
  round();
})();
