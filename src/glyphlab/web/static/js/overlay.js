// The picture of a page with a box around each character.
import { h, s } from "./dom.js";
import { isCorrected, isUnsure } from "./pagetext.js";
import { texts } from "./texts.js";

/** `onChoose(place)`, `onPoint(place or -1)`: a character was clicked, is pointed at. */
export class Overlay {
  #image = h("img", { alt: texts.read.picture });
  #boxes = [];
  #svg = s("svg", { class: "overlay", "aria-hidden": "true", preserveAspectRatio: "none" });
  #lit = -1;

  constructor({ onChoose, onPoint }) {
    this.element = h("div", { class: "page-picture" }, this.#image, this.#svg);
    const placeOf = (event) => Number(event.target.dataset?.place ?? -1);
    this.#svg.addEventListener("click", (event) => placeOf(event) >= 0 && onChoose(placeOf(event)));
    this.#svg.addEventListener("pointerover", (event) => onPoint(placeOf(event)));
    this.#svg.addEventListener("pointerleave", () => onPoint(-1));
  }

  get image() {
    return this.#image;
  }

  /** Show a picture by its address; nothing is known of it yet. Resolves to whether the browser can show it. */
  async showPicture(url) {
    this.#svg.replaceChildren();
    this.#boxes = [];
    this.#image.hidden = false;
    this.#image.src = url;
    const isShown = await this.#image.decode().then(
      () => true,
      () => false,
    );
    this.#image.hidden = !isShown;
    return isShown;
  }

  showBoxes(page) {
    this.#svg.setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
    this.element.style.setProperty("--ratio", `${page.width} / ${page.height}`);
    this.#boxes = page.characters.map((one, place) => {
      const [x, y, width, height] = one.box;
      return s("rect", { x, y, width, height, rx: 2, "data-place": place, class: classOf(one) });
    });
    this.#svg.replaceChildren(...this.#boxes);
    this.#lit = -1;
  }

  update(place, one) {
    this.#boxes[place].setAttribute("class", classOf(one) + (place === this.#lit ? " lit" : ""));
  }

  /** Mark one box; -1: none. */
  light(place) {
    this.#boxes[this.#lit]?.classList.remove("lit");
    this.#boxes[place]?.classList.add("lit");
    this.#lit = place;
  }
}

function classOf(one) {
  if (isCorrected(one)) return "corrected";
  return isUnsure(one) ? "unsure" : "plain";
}
