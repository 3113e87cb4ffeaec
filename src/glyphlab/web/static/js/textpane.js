// The text of a page, character by character: for the eye, the keyboard and the screen reader.
import { h } from "./dom.js";
import { isCorrected, isUnsure } from "./pagetext.js";
import { texts } from "./texts.js";

/** `onFocus(place)`, `onPoint(place or -1)`, `onType(place, text)`, `onConfirm(place)`, `onRestore(place)`. */
export class TextPane {
  #page = null;
  #buttons = [];
  #current = 0;
  #does;
  #lit = -1;

  constructor(does) {
    this.#does = does;
    this.element = h("div", {
      class: "page-text",
      role: "group",
      "aria-label": texts.read.text,
      "aria-describedby": "read-keys",
    });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusin", (event) => this.#onFocus(event));
    this.element.addEventListener("pointerover", (event) => does.onPoint(placeOf(event.target)));
    this.element.addEventListener("pointerleave", () => does.onPoint(-1));
  }

  show(page) {
    this.#page = page;
    this.#buttons = page.characters.map((_, place) =>
      h("button", { type: "button", tabindex: "-1", "data-place": place }),
    );
    let place = 0;
    const word = ({ characters }) =>
      h(
        "span",
        { class: "word" },
        characters.map(() => this.#buttons[place++]),
      );
    this.element.replaceChildren(
      ...page.lines.map((line) =>
        h(
          "p",
          {},
          line.words.flatMap((each) => [word(each), " "]),
        ),
      ),
    );
    page.characters.forEach((_, each) => this.update(each));
    this.#current = 0;
    this.#buttons[0]?.setAttribute("tabindex", "0");
  }

  update(place) {
    const one = this.#page.characters[place];
    const button = this.#buttons[place];
    button.textContent = one.text || "·";
    button.className = `character ${isCorrected(one) ? "corrected" : isUnsure(one) ? "unsure" : ""}`;
    button.classList.toggle("lit", place === this.#lit);
    const from = isCorrected(one) ? one.original : "";
    button.setAttribute("aria-label", texts.read.character(one.text || "·", one.probability, !isUnsure(one), from));
  }

  light(place) {
    this.#buttons[this.#lit]?.classList.remove("lit");
    this.#buttons[place]?.classList.add("lit");
    this.#lit = place;
  }

  focus(place) {
    this.#buttons[place]?.focus();
  }

  #onFocus(event) {
    const place = placeOf(event.target);
    if (place < 0) return;
    this.#buttons[this.#current].setAttribute("tabindex", "-1");
    this.#current = place;
    this.#buttons[place].setAttribute("tabindex", "0");
    this.#does.onFocus(place);
  }

  #onKey(event) {
    const place = placeOf(event.target);
    if (place < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = {
      ArrowLeft: () => this.focus(place - 1),
      ArrowRight: () => this.focus(place + 1),
      ArrowUp: () => this.#moveLine(place, -1),
      ArrowDown: () => this.#moveLine(place, 1),
      Home: () => this.focus(0),
      End: () => this.focus(this.#buttons.length - 1),
      Enter: () => this.#does.onConfirm(place),
      Backspace: () => this.#does.onRestore(place),
      Delete: () => this.#does.onType(place, ""),
    };
    const isText = [...event.key].length === 1 && event.key !== " ";
    if (!isText && !(event.key in moves)) return;
    event.preventDefault();
    if (isText) this.#does.onType(place, event.key);
    else moves[event.key]();
  }

  /** To the character of the line above or below that stands nearest. */
  #moveLine(place, step) {
    const here = this.#buttons[place].getBoundingClientRect();
    const middle = (box) => box.left + box.width / 2;
    const boxes = this.#buttons.map((button) => button.getBoundingClientRect());
    const beyond = boxes.filter((box) => (step > 0 ? box.top > here.bottom - 2 : box.bottom < here.top + 2));
    if (!beyond.length) return;
    const row = step > 0 ? Math.min(...beyond.map((box) => box.top)) : Math.max(...beyond.map((box) => box.top));
    const near = (box) => (Math.abs(box.top - row) < here.height / 2 ? Math.abs(middle(box) - middle(here)) : Infinity);
    const distances = boxes.map(near);
    this.focus(distances.indexOf(Math.min(...distances)));
  }
}

function placeOf(node) {
  return Number(node.closest?.("[data-place]")?.dataset.place ?? -1);
}
