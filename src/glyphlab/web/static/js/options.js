// What may be answered: everything, or only digits, letters, or characters that one names.
import { h, field, select } from "./dom.js";
import { recall, remember } from "./store.js";
import { texts } from "./texts.js";

const KINDS = ["", "digits", "letters", "capitals", "lowercase", "custom"];

/**
 * A choice of the characters that may be answered; `value` is the service's `only`. Events: "change" with every key,
 * and "settle" once what was typed is complete.
 */
export class OnlyChoice extends EventTarget {
  #key;
  #kind;
  #custom;

  constructor(key) {
    super();
    this.#key = key;
    const { kind, custom } = recall(`only.${key}`, { kind: "", custom: "" });
    this.#kind = select(
      KINDS.map((value) => [value, texts.only.kinds[value || "all"]]),
      kind,
      () => {
        this.#changed(true);
        this.#settled();
      },
    );
    this.#custom = h("input", {
      type: "text",
      value: custom,
      placeholder: texts.only.example,
      "aria-label": texts.only.custom,
      maxlength: 200,
      autocapitalize: "none",
      autocomplete: "off",
      spellcheck: "false",
      hidden: kind !== "custom",
    });
    this.#custom.addEventListener("input", () => this.#changed(false));
    this.#custom.addEventListener("change", () => this.#settled());
    this.element = h("div", { class: "stack only" }, field(texts.only.label, this.#kind), this.#custom);
  }

  get value() {
    return this.#kind.value === "custom" ? this.#custom.value.trim() : this.#kind.value;
  }

  #changed(moveFocus) {
    this.#custom.hidden = this.#kind.value !== "custom";
    if (moveFocus && !this.#custom.hidden) this.#custom.focus();
    remember(`only.${this.#key}`, { kind: this.#kind.value, custom: this.#custom.value });
    this.dispatchEvent(new Event("change"));
  }

  #settled() {
    this.dispatchEvent(new Event("settle"));
  }
}
