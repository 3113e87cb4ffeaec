// "Wrong? It was a ...": naming what a drawing shows, so that it is kept as a labelled picture.
import { button, h } from "./dom.js";
import { texts } from "./texts.js";

const MOST_CHIPS = 6;

/** A question with likely answers to press and a field for any other. `onLabel(label)` may return a promise. */
export class LabelForm {
  #onLabel;
  #input = h("input", {
    type: "text",
    class: "label-input character",
    maxlength: 40,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    "aria-label": texts.labelling.input,
  });
  #question = h("p", {});
  #chips = h("div", { class: "row chips" });
  #save = h("button", { type: "submit", class: "primary" }, texts.labelling.save);

  constructor(onLabel, onCancel) {
    this.#onLabel = onLabel;
    this.element = h(
      "form",
      { class: "labelling", hidden: true, on: { submit: (event) => this.#submit(event) } },
      this.#question,
      this.#chips,
      h("div", { class: "row" }, this.#input, this.#save, button(texts.cancel, onCancel, { class: "quiet" })),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      onCancel();
    });
  }

  /** Ask; likely: characters to choose from. */
  open(likely, question) {
    this.#question.textContent = question;
    this.#chips.hidden = !likely.length;
    this.#chips.replaceChildren(
      ...likely
        .slice(0, MOST_CHIPS)
        .map((name) => button(name, () => this.#onLabel(name), { class: "chip character" })),
    );
    this.#input.value = "";
    this.element.hidden = false;
    this.#input.focus();
  }

  close() {
    this.element.hidden = true;
  }

  get isOpen() {
    return !this.element.hidden;
  }

  #submit(event) {
    event.preventDefault();
    const label = this.#input.value.trim();
    if (label) this.#onLabel(label);
    else this.#input.focus();
  }
}
