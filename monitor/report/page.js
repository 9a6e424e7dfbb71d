"use strict";
// Finds and filters incidents. Everything on the page can be read without it.
{
  const byId = (id) => document.getElementById(id);
  const filter = byId("filter");
  const unfoldTarget = () => {
    const target = location.hash && byId(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", unfoldTarget);
  unfoldTarget();
  if (filter) {
    const incidents = [...document.querySelectorAll("details.incident")];
    const texts = incidents.map((each) => each.textContent.toLowerCase());
    const boxes = [...filter.querySelectorAll("[name=severity]")];
    const apply = () => {
      const needle = byId("needle").value.trim().toLowerCase();
      const severities = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      let shown = 0;
      incidents.forEach((each, i) => {
        each.hidden = !severities.has(each.dataset.severity) || !texts[i].includes(needle);
        shown += each.hidden ? 0 : 1;
      });
      for (const group of document.querySelectorAll("section.group")) {
        group.hidden = !group.querySelector("details.incident:not([hidden])");
      }
      byId("shown").textContent = shown === incidents.length ? "" : `${shown} of ${incidents.length} shown`;
    };
    filter.addEventListener("input", apply);
    byId("unfold").addEventListener("click", (event) => {
      const open = incidents.some((each) => !each.hidden && !each.open);
      for (const each of incidents) if (!each.hidden) each.open = open;
      event.target.textContent = open ? "Fold all" : "Unfold all";
    });
    filter.hidden = false;
    apply(); // a browser may have kept what was typed before a reload
  }
}
