// What the page knows of each image, and how an image becomes an element. Text from outside is only ever set as text.
const page = JSON.parse(document.getElementById("data").textContent);
document.documentElement.classList.add("js");

const count = page.index.length;
const truths = new Int32Array(count);
const predictions = new Int32Array(count);
const cellOf = new Map();
for (const [truth, prediction, first, shown, total] of page.cells) {
  truths.fill(truth, first, first + shown);
  predictions.fill(prediction, first, first + shown);
  cellOf.set(`${truth},${prediction}`, { truth, prediction, first, shown, total });
}

const isWrong = (at) => truths[at] !== predictions[at];
const sureness = (at) => page.p[at * page.topCount] / 10000;
const nameOf = (target) => page.classes[target];
const idOf = (at) => (page.id ? page.id[at] : String(page.index[at]));
const number = (value) => value.toLocaleString("en");
const plural = (value, thing) => `${number(value)} ${thing}${value === 1 ? "" : "s"}`;

function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1 %";
  if (share < 1 && share >= 0.9995) return ">99.9 %";
  return `${(100 * share).toFixed(1)} %`;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A class name, kept apart from the direction of writing around it.
const named = (target) => element("bdi", { class: "c" }, nameOf(target));

function glyph(at, atlas = "atlas-t", extra = "") {
  const { columns, rows } = page.atlases[atlas];
  const sheet = Math.floor(at / (columns * rows));
  const within = at % (columns * rows);
  const made = element("span", { class: `g ${atlas} ${atlas}${sheet} ${extra}`, "aria-hidden": "true" });
  made.style.setProperty("--x", within % columns);
  made.style.setProperty("--y", Math.floor(within / columns));
  return made;
}

function tile(at) {
  const truth = nameOf(truths[at]);
  const answer = nameOf(predictions[at]);
  const label = `image ${idOf(at)}: true ${truth}, answered ${answer}, ${percent(sureness(at))} sure`;
  const says = element("span", { class: "says" }, named(truths[at]));
  if (isWrong(at)) says.append(" → ", named(predictions[at]));
  return element(
    "button",
    { type: "button", class: `tile ${isWrong(at) ? "bad" : "good"}`, "data-at": at, "aria-label": label },
    glyph(at),
    says,
    element("span", { class: "sure" }, percent(sureness(at))),
  );
}
