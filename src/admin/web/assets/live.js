// Draws the page anew when the gate says that there is something new. Without it the page is as good, and still.
"use strict";
(() => {
  const parts = ["menu", "main", "foot"];
  const say = (text) => {
    const place = document.getElementById("live");
    if (place && place.textContent !== text) place.textContent = text;
  };
  // Nothing is taken from under somebody's hands.
  const isBusy = () => {
    const at = document.activeElement;
    const inForm = at && at !== document.body && at.closest("#main form");
    return Boolean(inForm) || !document.getSelection().isCollapsed;
  };
  let drawing = false;
  let again = false;
  const draw = async () => {
    if (drawing) {
      again = true;
      return;
    }
    if (isBusy()) {
      say("Something is new: load the page again to see it.");
      return;
    }
    drawing = true;
    again = false;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (isBusy()) return;
      const focus = document.activeElement && document.activeElement.closest("a[href]");
      const href = focus && focus.getAttribute("href");
      const places = [...document.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
      for (const id of parts) {
        const [was, is] = [document.getElementById(id), fresh.getElementById(id)];
        if (was && is && was.innerHTML !== is.innerHTML) was.replaceWith(is);
      }
      document.querySelectorAll(".scroll").forEach((box, at) => { box.scrollLeft = places[at] || 0; });
      if (href && !document.contains(focus)) {
        const same = [...document.querySelectorAll("a[href]")].find((link) => link.getAttribute("href") === href);
        if (same) same.focus({ preventScroll: true });
      }
      say("Live.");
    } catch {
      say("The gate does not answer.");
    } finally {
      drawing = false;
      if (again) draw();
    }
  };
  const source = new EventSource("/console/live");
  source.addEventListener("open", () => say("Live."));
  source.addEventListener("change", draw);
  source.addEventListener("error", () => say("Not live: the gate does not answer, or too many pages are open."));
  window.addEventListener("pagehide", () => source.close());
})();
