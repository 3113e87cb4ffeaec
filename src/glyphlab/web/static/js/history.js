// The drawings of before: kept by the browser, brought back with a click, exported as a file.
import { button, h } from "./dom.js";
import { extentOf } from "./drawing.js";
import { download } from "./files.js";
import { notify } from "./notices.js";
import { recall, remember } from "./store.js";
import { texts } from "./texts.js";

const MOST_KEPT = 60;
const MOST_POINTS = 4000; // a drawing with more would fill the browser's storage
const THUMBNAIL = 56; // side, in CSS pixels
const THINNEST = 1.5; // line, in pixels

/** The section of former drawings. `onOpen(entry)`: one was chosen. Entries: {drawing, text, label, time}. */
export class History {
  #entries = recall("history", []);
  #list = h("ol", { class: "history" });
  #onOpen;

  constructor(onOpen) {
    this.#onOpen = onOpen;
    const actions = h(
      "div",
      { class: "row" },
      button(texts.history.export, () => this.#export(), { iconName: "download", class: "quiet" }),
      button(texts.history.clear, () => this.#clear(), { class: "quiet" }),
    );
    const head = h("div", { class: "row spread" }, h("h2", { id: "history-title" }, texts.history.title), actions);
    this.element = h("section", { "aria-labelledby": "history-title" }, head, this.#list);
    this.#show();
  }

  /** Keep a drawing and what it was read as; one without ink is passed over, the newest one once more replaces it. */
  add(drawing, text, label = "") {
    const count = drawing.strokes.reduce((sum, { points }) => sum + points.length, 0);
    if (!count || count > MOST_POINTS) return;
    const isSame = JSON.stringify(this.#entries[0]?.drawing.strokes) === JSON.stringify(drawing.strokes);
    const entry = {
      drawing,
      text,
      label: label || (isSame ? this.#entries[0].label : ""),
      time: new Date().toISOString(),
    };
    this.#keep([entry, ...this.#entries.slice(isSame ? 1 : 0)]);
  }

  #clear() {
    const before = this.#entries;
    this.#keep([]);
    notify(texts.history.cleared, { action: [texts.undo, () => this.#keep([...this.#entries, ...before])] });
  }

  #export() {
    const content = JSON.stringify({ format: "glyphlab-drawings-1", drawings: this.#entries }, null, 1);
    download(content, "glyphlab-drawings.json", "application/json");
  }

  #keep(entries) {
    this.#entries = entries.slice(0, MOST_KEPT);
    remember("history", this.#entries);
    this.#show();
  }

  #show() {
    this.element.hidden = this.#entries.length === 0;
    this.#list.replaceChildren(...this.#entries.map((entry) => h("li", {}, this.#tile(entry))));
  }

  #tile(entry) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    paintThumbnail(canvas, entry.drawing.strokes);
    const label = entry.label ? texts.history.openLabelled(entry.label) : texts.history.open(entry.text);
    return h(
      "button",
      {
        type: "button",
        class: "history-tile",
        "aria-label": label,
        title: label,
        on: { click: () => this.#onOpen(entry) },
      },
      canvas,
      h("span", { class: "character", "aria-hidden": "true" }, entry.label || entry.text),
    );
  }
}

/** The ink alone, as large as fits. */
function paintThumbnail(canvas, strokes) {
  const pixels = THUMBNAIL * (devicePixelRatio || 1);
  canvas.width = canvas.height = pixels;
  const [left, top, right, bottom] = extentOf(strokes);
  const scale = (0.86 * pixels) / Math.max(right - left, bottom - top, 1);
  const context = canvas.getContext("2d");
  context.translate((pixels - scale * (left + right)) / 2, (pixels - scale * (top + bottom)) / 2);
  context.scale(scale, scale);
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = matchMedia("(prefers-color-scheme: dark)").matches ? "#e9ecf2" : "#1c2430";
  for (const { points, size } of strokes) {
    context.lineWidth = Math.max(THINNEST / scale, size);
    context.beginPath();
    context.moveTo(points[0][0], points[0][1]);
    for (const [x, y] of points) context.lineTo(x, y);
    context.stroke();
  }
}
