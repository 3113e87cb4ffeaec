// The tools of a pad: pen and eraser, the brush, undo, redo, clear.
import { h, iconButton, setAttribute } from "./dom.js";
import { recall, remember } from "./store.js";
import { texts } from "./texts.js";

const SIZES = { min: 0.015, max: 0.14, step: 0.005 };
const DEFAULT_SIZE = 0.045; // of the canvas's smaller side

/** A bar of tools; `onKey` takes the single keys that belong to them. */
export class Toolbar {
  #pad;
  #tools;
  #undo;
  #redo;
  #clear;
  #size;

  constructor(pad, { onClear }) {
    this.#pad = pad;
    const tool = (name, keys) =>
      iconButton(name, texts.tools[name], () => this.#choose(name), { keys, "aria-pressed": "false" });
    this.#tools = { pen: tool("pen", "p"), eraser: tool("eraser", "e") };
    this.#undo = iconButton("undo", texts.undo, () => pad.undo(), { keys: "Control+z" });
    this.#redo = iconButton("redo", texts.redo, () => pad.redo(), { keys: "Control+y" });
    this.#clear = iconButton("clear", texts.tools.clear, onClear, { keys: "Delete" });
    this.#size = h("input", {
      type: "range",
      ...SIZES,
      value: recall("brush", DEFAULT_SIZE),
      "aria-label": texts.tools.size,
      title: texts.tools.sizeTip,
    });
    this.#size.addEventListener("input", () => this.#resize());
    this.element = h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": texts.tools.label },
      h("div", { class: "tool-group" }, this.#tools.pen, this.#tools.eraser),
      h("label", { class: "brush" }, h("span", { class: "brush-dot", "aria-hidden": "true" }), this.#size),
      h("div", { class: "tool-group" }, this.#undo, this.#redo, this.#clear),
    );
    this.#choose("pen");
    this.#resize();
    this.update();
  }

  /** Which tools have something to do. */
  update() {
    const { drawing } = this.#pad;
    setAttribute(this.#undo, "aria-disabled", drawing.canUndo ? null : "true");
    setAttribute(this.#redo, "aria-disabled", drawing.canRedo ? null : "true");
    setAttribute(this.#clear, "aria-disabled", drawing.isEmpty ? "true" : null);
  }

  onKey(event) {
    const actions = {
      p: () => this.#choose("pen"),
      e: () => this.#choose("eraser"),
      "[": () => this.#resize(-2),
      "]": () => this.#resize(2),
    };
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  }

  #choose(name) {
    this.#pad.tool = name;
    this.#pad.element.dataset.tool = name;
    for (const [each, node] of Object.entries(this.#tools)) node.setAttribute("aria-pressed", String(each === name));
  }

  #resize(steps = 0) {
    this.#size.value = Number(this.#size.value) + steps * SIZES.step;
    this.#pad.size = Number(this.#size.value);
    this.element.style.setProperty("--share", (this.#size.value - SIZES.min) / (SIZES.max - SIZES.min));
    remember("brush", Number(this.#size.value));
  }
}
