// The confusion matrix: one stop for the tab key, arrow keys within, counts or percent.
const matrix = document.getElementById("matrix");
const matrixButtons = [...matrix.querySelectorAll("button")];
const grid = [...matrix.tBodies[0].rows].map((row) => [...row.cells].slice(1));
matrixButtons.forEach((button, place) => { button.tabIndex = place ? -1 : 0; });

matrix.addEventListener("focusin", (event) => {
  if (!matrixButtons.includes(event.target)) return;
  for (const button of matrixButtons) button.tabIndex = -1;
  event.target.tabIndex = 0;
});

matrix.addEventListener("keydown", (event) => {
  const move = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const from = event.target.closest("button");
  if (!move || !from) return;
  event.preventDefault();
  let [row, column] = [Number(from.dataset.t), Number(from.dataset.p)];
  do {
    row += move[0];
    column += move[1];
  } while (grid[row]?.[column] && !grid[row][column].firstElementChild); // over empty cells
  grid[row]?.[column]?.firstElementChild.focus();
});

const unit = document.getElementById("matrix-unit");
unit.addEventListener("click", () => {
  const shares = unit.getAttribute("aria-pressed") !== "true";
  unit.setAttribute("aria-pressed", shares);
  unit.textContent = shares ? "Show numbers of images" : "Show percent of the true class";
  for (const button of matrixButtons) {
    const { truth, prediction, total } = cellOf.get(`${button.dataset.t},${button.dataset.p}`);
    const share = (100 * total) / page.support[truth];
    button.textContent = shares ? (share < 9.95 && truth !== prediction ? share.toFixed(1) : share.toFixed(0)) : total;
  }
});
