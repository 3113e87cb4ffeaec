// Looking inside the network on demand: its feature maps, and which pixels speak for the answer.
import { post } from "./api.js";
import { button, h, scrolling } from "./dom.js";
import { imageAddress } from "./files.js";
import { explain } from "./notices.js";
import { texts } from "./texts.js";

/** Two buttons, and a place of its own for the pictures they fetch; `question()` gives the drawing and the model. */
export class Explain {
  #question;
  pictures = h("div", {
    class: "card explanation",
    role: "group",
    "aria-label": texts.explain.pictures,
    tabindex: "0",
  });
  #busy = h("p", { class: "muted small busy", role: "status" });
  #buttons = ["saliency", "maps"].map((what) =>
    button(texts.explain[what], () => this.#fetch(what), { disabled: true, class: "quiet" }),
  );
  #asked = 0;

  constructor(question) {
    this.#question = question;
    this.element = h(
      "section",
      { class: "card explain", "aria-label": texts.explain.title },
      h("h2", {}, texts.explain.title),
      h("div", { class: "row" }, this.#buttons),
      this.#busy,
    );
  }

  enable(isPossible) {
    for (const node of this.#buttons) node.disabled = !isPossible;
  }

  /** The drawing has changed: what is shown is no longer about it. */
  forget() {
    this.#asked += 1;
    this.#busy.textContent = "";
    if (this.pictures.hasChildNodes()) this.pictures.replaceChildren();
  }

  async #fetch(what) {
    const asked = ++this.#asked;
    this.#busy.textContent = texts.explain.busy;
    const { model, only, width, height, strokes } = this.#question();
    let shown;
    try {
      const { images } = await post("explain", { model, only, what, width, height, strokes });
      shown = images.map(({ png }) => h("img", { src: imageAddress(png), alt: texts.explain.alt[what] }));
    } catch (error) {
      shown = [h("p", { class: "note" }, explain(error))];
    }
    if (asked !== this.#asked) return;
    this.#busy.textContent = "";
    this.pictures.replaceChildren(...shown);
    await Promise.allSettled(shown.map((node) => node.decode?.()));
    this.pictures.scrollIntoView({ block: "nearest", behavior: scrolling() });
  }
}
