// The window that shows the images of a cell, or a single one, with what is known of each.
const viewer = document.getElementById("viewer");
const viewerTiles = document.getElementById("viewer-tiles");
const viewerDetail = document.getElementById("viewer-detail");
const AT_ONCE = 3000; // tiles; more are added on request

function openViewer(positions, title, note) {
  document.getElementById("viewer-title").replaceChildren(...title);
  document.getElementById("viewer-note").replaceChildren(...note);
  viewerTiles.replaceChildren();
  viewerDetail.replaceChildren();
  addTiles(positions, 0);
  if (!viewer.open) viewer.showModal();
  viewerTiles.scrollTop = 0;
  viewerTiles.querySelector(".tile")?.focus();
}

function addTiles(positions, from) {
  const end = Math.min(from + AT_ONCE, positions.length);
  viewerTiles.append(...positions.slice(from, end).map(tile));
  if (end < positions.length) {
    const more = element("button", { type: "button" }, `${number(positions.length - end)} more`);
    more.addEventListener("click", () => { more.remove(); addTiles(positions, end); });
    viewerTiles.append(more);
  }
}

function openCell(truth, prediction) {
  const cell = cellOf.get(`${truth},${prediction}`);
  if (!cell) return;
  const positions = Array.from({ length: cell.shown }, (_, i) => cell.first + i);
  const right = truth === prediction;
  const title = right ? [named(truth), " recognised"] : [named(truth), " read as ", named(prediction)];
  title.push(`: ${plural(cell.total, "image")}`);
  const note = [`${percent(cell.total / page.support[truth])} of the ${number(page.support[truth])} images of `, named(truth)];
  note.push(right ? ", the least sure first" : ", the surest first");
  if (cell.shown < cell.total) note.push(`; ${number(cell.shown)} of them are in this file`);
  const back = cellOf.get(`${prediction},${truth}`);
  if (!right && back) {
    const other = element("button", { type: "button", class: "link" }, `the other way round: ${number(back.total)}`);
    other.addEventListener("click", () => openCell(prediction, truth));
    note.push(" · ", other);
  }
  openViewer(positions, title, note);
}

function openImage(at) {
  const right = !isWrong(at);
  const title = right ? [named(truths[at]), " recognised"] : [named(truths[at]), " read as ", named(predictions[at])];
  const cell = cellOf.get(`${truths[at]},${predictions[at]}`);
  const all = element("button", { type: "button", class: "link" }, `all ${plural(cell.total, "image")} of this cell`);
  all.addEventListener("click", () => openCell(truths[at], predictions[at]));
  openViewer([at], title, [all]);
}

function showDetail(at) {
  for (const other of viewerTiles.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  viewerTiles.querySelector(`[data-at="${at}"]`)?.setAttribute("aria-current", "true");
  const parts = [glyph(at, "atlas-t", "large"), element("strong", {}, `Image ${idOf(at)}`)];
  parts.push(element("div", {}, `of ${page.data}; labelled `, named(truths[at])));
  const bars = element("div", { class: "bars" });
  for (let rank = 0; rank < page.topCount; rank += 1) {
    const target = page.top[at * page.topCount + rank];
    const share = page.p[at * page.topCount + rank] / 10000;
    const bar = element("i", target === truths[at] ? {} : { class: "wrong" });
    bar.style.width = `${100 * share}%`;
    bars.append(named(target), bar, element("span", { class: "n" }, percent(share)));
  }
  parts.push(bars);
  if (page.kind[at] !== undefined) {
    const kind = page.kinds[page.kind[at]];
    parts.push(element("span", { class: `chip ${kind.replace(" ", "-")}` }, kind), element("p", {}, page.reason[at]));
  }
  const near = page.near[at];
  if (near) {
    for (const [target, places] of [[truths[at], near[0]], [predictions[at], near[1]]]) {
      if (!places.length) continue;
      parts.push(element("div", {}, "Nearest training images of ", named(target)));
      parts.push(element("div", { class: "near" }, ...places.map((place) => glyph(place, "atlas-n"))));
    }
  }
  viewerDetail.replaceChildren(...parts);
  viewerDetail.scrollTop = 0;
}

viewer.querySelector(".close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
viewerTiles.addEventListener("focusin", (event) => {
  const chosen = event.target.closest(".tile");
  if (chosen) showDetail(Number(chosen.dataset.at));
});
viewerTiles.addEventListener("click", (event) => event.target.closest(".tile")?.focus());
viewerTiles.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const rows = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const all = [...viewerTiles.querySelectorAll(".tile")];
  const here = all.indexOf(document.activeElement);
  if ((!step && !rows) || here < 0) return;
  event.preventDefault();
  const columns = getComputedStyle(viewerTiles).gridTemplateColumns.split(" ").length;
  all[here + (step ?? rows * columns)]?.focus();
});

// Everything on the page that names a cell or an image opens it.
document.querySelector("main").addEventListener("click", (event) => {
  const chosen = event.target.closest("button[data-t], button[data-at]");
  if (chosen?.dataset.t) openCell(Number(chosen.dataset.t), Number(chosen.dataset.p));
  else if (chosen) openImage(Number(chosen.dataset.at));
});
