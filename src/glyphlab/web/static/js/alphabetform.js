// Naming an alphabet and its characters, or more characters of one.
import { button, field, h } from "./dom.js";
import { texts } from "./texts.js";

/** `onNamed(name, labels)`, `onCancel()`. */
export class AlphabetForm {
  #title = h("h2", {});
  #name = h("input", {
    type: "text",
    maxlength: 60,
    placeholder: texts.teach.nameExample,
    autocomplete: "off",
    required: true,
  });
  #characters = h("input", {
    type: "text",
    class: "character",
    placeholder: texts.teach.charactersExample,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
    "aria-describedby": "characters-hint",
  });
  #cancel;

  constructor(onNamed, onCancel) {
    this.#cancel = button(texts.cancel, onCancel, { class: "quiet" });
    this.element = h(
      "form",
      { class: "card alphabet-form", hidden: true },
      this.#title,
      field(texts.teach.name, this.#name),
      field(texts.teach.characters, this.#characters),
      h("p", { class: "small muted", id: "characters-hint" }, texts.teach.charactersHint),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, texts.teach.start), this.#cancel),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      const labels = labelsIn(this.#characters.value);
      if (labels.length) onNamed(this.#name.value.trim(), labels);
    });
  }

  /** name: of the alphabet that gets more characters; empty for a new one. canCancel: there is a way back. */
  toggle(isOpen, name, canCancel) {
    this.element.hidden = !isOpen;
    if (!isOpen) return;
    this.#title.textContent = name ? texts.teach.more : texts.teach.steps.name;
    this.#title.className = name ? "" : "step step-1";
    this.#cancel.hidden = !canCancel;
    this.#name.value = name;
    this.#name.readOnly = Boolean(name);
    this.#characters.value = "";
  }
}

/** "α β γ" and "α, β, γ" as they are; without any gap, each character for itself. */
function labelsIn(text) {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  const single = words.length === 1 ? [...new Intl.Segmenter().segment(words[0])].map(({ segment }) => segment) : words;
  return [...new Set(single)];
}
