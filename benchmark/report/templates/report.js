"use strict";
// Sorting, filtering and hiding columns of the board; showing and hiding curves; copying commands. Without this script
// the page is whole, only still.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const said = document.getElementById("said");
  heads.forEach((head, place) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const first = head.dataset.first || "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = before === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const numeric = head.classList.contains("number");
      const key = (row) => row.cells[place].dataset.v;
      const rows = [...body.rows];
      rows.sort((one, other) => {
        const [a, b] = [key(one), key(other)];
        // What is unknown comes last, whichever way.
        if (a === "" || b === "") return (a === "") - (b === "");
        return sign * (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      });
      body.append(...rows);
      said.textContent = `sorted by ${button.textContent.trim()}, ${order}`;
    });
  });
}
const filter = document.getElementById("filter");
const tiedOnly = document.getElementById("tied-only");
if (filter) {
  const rows = [...document.querySelectorAll("#board-table tbody tr")];
  const count = document.getElementById("count");
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word)) && (!tiedOnly.checked || row.dataset.tied === "true");
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length} rows`;
  };
  filter.addEventListener("input", apply);
  tiedOnly.addEventListener("change", apply);
  apply();
}
for (const box of document.querySelectorAll("input[data-column]")) {
  const place = Number(box.dataset.column);
  const apply = () => {
    for (const row of document.querySelectorAll("#board-table tr")) row.cells[place].hidden = !box.checked;
  };
  box.addEventListener("change", apply);
  apply(); // a browser may remember the boxes of an earlier visit
}
for (const button of document.querySelectorAll("button[data-series]")) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    for (const curve of document.querySelectorAll("#curves g[data-series]")) {
      if (curve.dataset.series === button.dataset.series) curve.toggleAttribute("hidden", !on);
    }
  });
}
for (const button of document.querySelectorAll("button[data-all]")) {
  button.addEventListener("click", () => {
    const wanted = button.dataset.all;
    for (const one of document.querySelectorAll("button[data-series]")) {
      if (one.getAttribute("aria-pressed") !== wanted) one.click();
    }
  });
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "selected";
    }
  });
}
for (const one of document.querySelectorAll(".needs-script")) one.hidden = false;
