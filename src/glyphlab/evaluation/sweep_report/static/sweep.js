"use strict";
document.documentElement.classList.add("js");

// Tables whose headings sort them; texts sort as texts, and cells without a figure come last either way.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const order = before ? (before === "ascending" ? "descending" : "ascending") : (head.dataset.first || "ascending");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const value = (row) => row.cells[column].dataset.v ?? "";
      const compare = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const [m, n] = [Number(x), Number(y)];
        return sign * (Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y) : m - n);
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    });
  });
}

// A trial chosen anywhere is shown everywhere.
const trials = [...document.querySelectorAll("[data-trial]")];
function choose(number) {
  for (const item of trials) {
    const on = item.dataset.trial === number && !item.classList.contains("on");
    item.classList.toggle("on", on);
    if (on && item.ownerSVGElement && item.tagName === "polyline") item.parentNode.append(item);
  }
}
for (const item of trials) {
  item.addEventListener("click", (event) => { if (!event.target.closest("a")) choose(item.dataset.trial); });
  if (item.tagName === "TR") {
    item.tabIndex = 0;
    item.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(item.dataset.trial); }
    });
  }
}

// Paper has no folds.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((fold) => { fold.open = true; }));
