// One character of a page, enlarged, with what else it might be: for the finger, and for what no single key types.
import { button, h, s } from "./dom.js";
import { texts } from "./texts.js";

const AROUND = 0.5; // of the box's larger side, shown around it

/** `onType(place, text)`, `onConfirm(place)`. */
export class Corrector {
  #place = -1;
  #does;
  #view = s("svg", { class: "close-up", "aria-hidden": "true" });
  #chips = h("div", { class: "row chips" });
  #input = h("input", {
    type: "text",
    class: "label-input character",
    maxlength: 8,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    "aria-label": texts.read.correct,
  });

  constructor(does) {
    this.#does = does;
    const right = button(texts.read.right, () => does.onConfirm(this.#place), { iconName: "check" });
    this.element = h(
      "form",
      {
        class: "card corrector",
        "aria-label": texts.read.edit,
        hidden: true,
        on: { submit: (event) => this.#submit(event) },
      },
      this.#view,
      h("div", { class: "stack" }, this.#chips, h("div", { class: "row" }, this.#input, right)),
    );
  }

  /** Show a character; url: of the page's picture. */
  show(place, one, page, url) {
    this.#place = place;
    this.element.hidden = false;
    this.#input.value = "";
    this.#input.placeholder = one.text;
    const names = [...new Set([one.original, ...one.alternatives.map(({ character }) => character)])].slice(0, 6);
    this.#chips.replaceChildren(
      ...names.map((name) => {
        const isNow = name === one.text;
        return button(name, () => this.#does.onType(place, name), {
          class: "chip character",
          "aria-pressed": String(isNow),
        });
      }),
    );
    const [x, y, width, height] = one.box;
    const margin = AROUND * Math.max(width, height);
    this.#view.setAttribute("viewBox", `${x - margin} ${y - margin} ${width + 2 * margin} ${height + 2 * margin}`);
    this.#view.replaceChildren(
      s("image", { href: url, x: 0, y: 0, width: page.width, height: page.height, preserveAspectRatio: "none" }),
      s("rect", { x, y, width, height, class: "frame" }),
    );
  }

  hide() {
    this.element.hidden = true;
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#input.value.trim();
    if (text) this.#does.onType(this.#place, text);
    this.#does.onConfirm(this.#place);
  }
}
