// The map of the feature space: the nearest point's image under the pointer, opened by a click.
const map = document.getElementById("map");
if (map && page.map) {
  const drawing = map.querySelector("svg");
  const peek = map.querySelector(".peek");
  const REACH = 14; // units of the drawing

  function nearestTo(event) {
    const box = drawing.getBoundingClientRect();
    const { width, height } = drawing.viewBox.baseVal;
    const x = ((event.clientX - box.left) / box.width) * width;
    const y = ((event.clientY - box.top) / box.height) * height;
    let best = -1;
    let distance = REACH ** 2;
    page.map.at.forEach((_, i) => {
      const d = (page.map.x[i] - x) ** 2 + (page.map.y[i] - y) ** 2;
      if (d < distance) [best, distance] = [i, d];
    });
    return best < 0 ? null : page.map.at[best];
  }

  // The points of one class stand out, or all (-1).
  function light(target) {
    drawing.classList.toggle("lit", target >= 0);
    for (const points of drawing.querySelectorAll(".points")) {
      points.classList.toggle("lit", Number(points.dataset.t) === target);
    }
  }

  map.addEventListener("pointermove", (event) => {
    const at = nearestTo(event);
    peek.hidden = at === null;
    if (at === null) return light(-1);
    light(truths[at]);
    const words = element("span", {}, named(truths[at]));
    if (isWrong(at)) words.append(" → ", named(predictions[at]));
    peek.replaceChildren(glyph(at), words);
    const box = map.getBoundingClientRect();
    const left = event.clientX - box.left;
    peek.style.left = `${left > box.width - 110 ? left - 96 : left + 18}px`;
    peek.style.top = `${Math.min(event.clientY - box.top + 12, box.height - 100)}px`;
  });
  map.addEventListener("pointerleave", () => { peek.hidden = true; light(-1); });
  map.addEventListener("click", (event) => {
    const at = nearestTo(event);
    if (at !== null) openImage(at);
  });
}
