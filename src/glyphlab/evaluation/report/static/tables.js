// Tables whose headings sort them.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      // First click: what deserves attention on top, the worst share or the largest number.
      const first = /Class|Recall|Precision|F1/.test(button.textContent) ? "ascending" : "descending";
      const before = head.getAttribute("aria-sort");
      const order = before ? (before === "ascending" ? "descending" : "ascending") : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const value = (row) => Number(row.cells[column].dataset.v);
      const rows = [...table.tBodies[0].rows].sort((a, b) => sign * (value(a) - value(b)));
      table.tBodies[0].append(...rows);
    });
  });
}

// Paper has no folds.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((fold) => { fold.open = true; }));
