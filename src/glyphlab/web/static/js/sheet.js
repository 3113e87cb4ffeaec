// The contact sheet: every character with its drawings, and which of them want more.
import { address } from "./api.js";
import { filePicker, h, icon, iconButton } from "./dom.js";
import { texts } from "./texts.js";

export const FEWEST = 3; // drawings of a character before it can be taught and still be tested
export const ENOUGH = 5;

/** `onChoose(label)`, `onUpload(label, files)`, `onDelete(label, id, address of the picture)`, `onDeleteCharacter(label)`. */
export class Sheet {
  #does;
  #rows = new Map(); // by label

  constructor(does) {
    this.#does = does;
    this.element = h("ul", { class: "sheet" });
  }

  /** classes: [{label, ids}]; chosen: the label that is drawn now. Only what has changed is built anew. */
  show(classes, chosen) {
    const rows = classes.map(({ label }) => this.#rows.get(label) ?? new Row(label, this.#does));
    if (rows.length !== this.#rows.size || rows.some((row) => this.#rows.get(row.label) !== row)) {
      this.#rows = new Map(rows.map((row) => [row.label, row]));
      this.element.replaceChildren(...rows.map((row) => row.element));
    }
    classes.forEach(({ label, ids }, place) => rows[place].show(ids, label === chosen));
  }
}

class Row {
  #count = h("span", { class: "sheet-hint small" });
  #spoken = h("span", { class: "unseen" });
  #pictures = h("ul", { class: "sheet-pictures" });
  #choose;
  #does;
  #ids = null;

  constructor(label, does) {
    this.label = label;
    this.#does = does;
    const picker = filePicker((files) => does.onUpload(label, files), { multiple: true });
    this.#choose = h(
      "button",
      { type: "button", class: "sheet-label", on: { click: () => does.onChoose(label) } },
      h("span", { class: "character" }, label),
      this.#count,
      this.#spoken,
    );
    const upload = iconButton("upload", texts.teach.upload(label), () => picker.click());
    const remove = iconButton("clear", texts.teach.removeCharacter(label), () => does.onDeleteCharacter(label));
    this.element = h(
      "li",
      { class: "sheet-row" },
      this.#choose,
      this.#pictures,
      h("div", { class: "sheet-tools" }, upload, remove),
      picker,
    );
    this.#takeDrops();
  }

  show(ids, isChosen) {
    this.#choose.setAttribute("aria-pressed", String(isChosen));
    this.element.classList.toggle("chosen", isChosen);
    if (this.#ids?.length === ids.length && ids.every((id, place) => id === this.#ids[place])) return;
    this.#ids = [...ids];
    this.#spoken.textContent = texts.teach.chooseMore(ids.length);
    this.#count.textContent = hintFor(ids.length);
    this.element.dataset.state = ids.length < FEWEST ? "wanting" : ids.length < ENOUGH ? "enough" : "good";
    this.#pictures.replaceChildren(...ids.map((id, place) => this.#picture(id, place)));
    this.#pictures.scrollLeft = this.#pictures.scrollWidth;
  }

  #picture(id, place) {
    const url = address(`samples/${id}.png`);
    const name = texts.teach.sample(this.label, place + 1);
    const remove = () => this.#does.onDelete(this.label, id, url);
    const image = h("img", { src: url, alt: "", loading: "lazy", width: 48, height: 48 });
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "sample", "aria-label": name, title: name, on: { click: remove } },
        image,
        icon("close"),
      ),
    );
  }

  /** Pictures may be dropped on the character that they show. */
  #takeDrops() {
    const hover = (isOver) => this.element.classList.toggle("dragging", isOver);
    this.element.addEventListener("dragover", (event) => {
      event.preventDefault();
      hover(true);
    });
    this.element.addEventListener("dragleave", () => hover(false));
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      hover(false);
      if (event.dataTransfer?.files.length) this.#does.onUpload(this.label, [...event.dataTransfer.files]);
    });
  }
}

function hintFor(count) {
  if (count < FEWEST) return texts.teach.needs(FEWEST - count);
  return count < ENOUGH ? texts.teach.enough : texts.teach.good;
}
