// Read: a picture of a page, its text beside it, and whoever looks at both.
import { postForm } from "./api.js";
import { hasCamera, photograph } from "./camera.js";
import { Corrector } from "./corrector.js";
import { button, checkbox, filePicker, h } from "./dom.js";
import { cropBlob, download } from "./files.js";
import { KEPT_IN, keepPicture, removeKept } from "./kept.js";
import { models } from "./models.js";
import { announce, explain, notify, notifyError } from "./notices.js";
import { OnlyChoice } from "./options.js";
import { Overlay } from "./overlay.js";
import { isCorrected, PageText } from "./pagetext.js";
import { recall, remember } from "./store.js";
import { TextPane } from "./textpane.js";
import { texts } from "./texts.js";

export function create() {
  return new ReadView();
}

class ReadView {
  #file = null;
  #url = "";
  #page = null;
  #asked = 0;
  #readBy; // the model that read the page; undefined where the list of models had not come
  #isShown = false; // whether the browser can show the picture
  #saving = Promise.resolve(); // one after the other, so that the last correction is what is kept
  #settings = recall("read", { english: true, context: true });
  #only = new OnlyChoice("read");
  #choose = filePicker(([file]) => this.#read(file));
  #capture = filePicker(([file]) => this.#read(file), { capture: "environment" });
  #overlay = new Overlay({ onChoose: (place) => this.#text.focus(place), onPoint: (place) => this.#light(place) });
  #text = new TextPane({
    onFocus: (place) => this.#select(place),
    onPoint: (place) => this.#light(place),
    onType: (place, text) => this.#correct(place, text),
    onConfirm: (place) => this.#confirm(place),
    onRestore: (place) => this.#correct(place, this.#page.characters[place].original),
  });
  #corrector = new Corrector({
    onType: (place, text) => this.#correct(place, text),
    onConfirm: (place) => this.#confirm(place),
  });
  #selected = -1;
  #seconds = 0;
  #summary = h("p", { class: "muted number", role: "status" });
  #problem = h("p", { class: "note bad", role: "alert", hidden: true });
  #next = button(texts.read.nextUnsure, () => this.#goToUnsure(), { class: "quiet" });
  #result = h("div", { class: "read-result", hidden: true });

  constructor() {
    this.#buildResult();
    this.element = h(
      "div",
      { class: "read" },
      h("div", { class: "view-head" }, h("h1", {}, texts.tabs.read), h("p", {}, texts.read.lead)),
      this.#dropPlace(),
      this.#problem,
      this.#result,
    );
    this.element.addEventListener("dragover", (event) => this.#onDrag(event, true));
    this.element.addEventListener("dragleave", (event) => this.#onDrag(event, false));
    this.element.addEventListener("drop", (event) => this.#onDrop(event));
    addEventListener("paste", (event) => this.element.isConnected && this.#onPaste(event));
    // A picture that misses its place must not take the page's.
    for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
    this.#only.addEventListener("settle", () => this.#readAgain());
    models.addEventListener("change", () => this.#readBy && models.current?.id !== this.#readBy && this.#readAgain());
  }

  #dropPlace() {
    return h(
      "div",
      { class: "card drop" },
      h("p", { class: "drop-words" }, texts.read.drop),
      h(
        "div",
        { class: "row drop-ways" },
        button(texts.read.choose, () => this.#choose.click(), { iconName: "picture", class: "primary" }),
        button(texts.read.photograph, () => this.#photograph(), { iconName: "camera" }),
      ),
      h("p", { class: "small muted drop-formats" }, texts.read.formats),
      this.#choose,
      this.#capture,
      this.#options(),
    );
  }

  #options() {
    const setting = (name, label) =>
      checkbox(label, this.#settings[name], (isOn) => {
        this.#settings[name] = isOn;
        remember("read", this.#settings);
        this.#readAgain();
      });
    return h(
      "details",
      { class: "read-settings" },
      h("summary", {}, texts.read.settings),
      h(
        "div",
        { class: "stack" },
        this.#only.element,
        setting("context", texts.read.context),
        setting("english", texts.read.language),
      ),
    );
  }

  #buildResult() {
    const save = (label, extension, content, type) =>
      button(label, () => download(content(), `${this.#stem()}.${extension}`, type), {
        iconName: "download",
        class: "quiet",
      });
    const actions = h(
      "div",
      { class: "row" },
      button(texts.read.copy, () => this.#copy(), { iconName: "copy", class: "quiet" }),
      save("TXT", "txt", () => this.#page.text, "text/plain;charset=utf-8"),
      save("JSON", "json", () => this.#page.toJson(), "application/json"),
      save("hOCR", "hocr", () => this.#page.toHocr(), "text/html;charset=utf-8"),
    );
    const head = h("div", { class: "row spread" }, this.#summary, this.#next);
    const textCard = h("div", { class: "card text-card" }, head, this.#text.element, actions);
    this.#result.append(
      this.#overlay.element,
      h(
        "div",
        { class: "read-text" },
        textCard,
        this.#corrector.element,
        h("p", { class: "small muted", id: "read-keys" }, texts.read.keys),
      ),
    );
  }

  #onDrag(event, isOver) {
    event.preventDefault();
    this.element.classList.toggle("dragging", isOver && [...(event.dataTransfer?.types ?? [])].includes("Files"));
  }

  #onDrop(event) {
    this.#onDrag(event, false);
    const file = event.dataTransfer?.files?.[0];
    if (file) this.#read(file);
  }

  #onPaste(event) {
    const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    this.#read(file);
  }

  async #photograph() {
    if (!hasCamera()) return this.#capture.click();
    try {
      const file = await photograph();
      if (file) await this.#read(file);
    } catch {
      notify(texts.read.camera.none);
    }
  }

  /** The page that is shown, by what is chosen now. */
  #readAgain() {
    if (this.#file) this.#read(this.#file);
  }

  async #read(file) {
    // The page read before stays.
    if (file.type && !file.type.startsWith("image/")) return this.#complain(texts.read.notPicture);
    const asked = ++this.#asked;
    this.#startWaiting(file);
    const { english, context } = this.#settings;
    this.#readBy = models.current?.id;
    const fields = {
      file,
      model: this.#readBy,
      only: this.#only.value,
      context,
      language: english ? "en" : "none",
    };
    try {
      const [answer, isShown] = await Promise.all([postForm("read", fields), this.#overlay.showPicture(this.#url)]);
      if (asked === this.#asked) this.#show(answer, isShown);
    } catch (error) {
      if (asked === this.#asked) this.#fail(explain(error));
    } finally {
      if (asked === this.#asked) this.element.classList.remove("waiting");
    }
  }

  #startWaiting(file) {
    if (file !== this.#file) {
      URL.revokeObjectURL(this.#url);
      this.#url = URL.createObjectURL(file);
      this.#file = file;
    }
    this.#page = null;
    this.#problem.hidden = true;
    this.#result.hidden = false;
    this.#corrector.hide();
    this.#text.element.replaceChildren();
    this.#next.hidden = true;
    this.#summary.textContent = texts.read.busy;
    this.element.classList.add("has-page", "waiting");
  }

  #show(answer, isShown) {
    this.#page = new PageText(answer, this.#file.name || "page.png");
    this.#isShown = isShown;
    this.#selected = -1;
    this.#seconds = answer.milliseconds / 1000;
    this.#overlay.showBoxes(this.#page);
    this.#text.show(this.#page);
    this.#summarise();
    announce(this.#page.text || texts.read.empty, 100);
  }

  #complain(message) {
    this.#problem.textContent = message;
    this.#problem.hidden = false;
  }

  #fail(message) {
    this.#complain(message);
    this.#result.hidden = true;
  }

  #summarise() {
    const { characters, unsureCount } = this.#page;
    this.#summary.textContent = characters.length
      ? texts.read.summary(characters.length, unsureCount, this.#seconds)
      : texts.read.empty;
    this.#next.hidden = unsureCount === 0;
  }

  /** Hovering one shows both; when nothing is pointed at, the one in focus stays marked. */
  #light(place) {
    const lit = place >= 0 ? place : this.#selected;
    this.#overlay.light(lit);
    this.#text.light(lit);
  }

  #select(place) {
    this.#selected = place;
    this.#light(place);
    this.#corrector.show(place, this.#page.characters[place], this.#page, this.#isShown ? this.#url : "");
  }

  #correct(place, text) {
    const one = this.#page.characters[place];
    if (text === one.text) return;
    one.text = text;
    one.isConfirmed = false;
    this.#update(place);
    // Cut out now: when its turn to be saved comes, another page may be shown.
    const picture = isCorrected(one) && this.#isShown ? cropBlob(this.#overlay.image, one.box) : null;
    this.#saving = this.#saving.then(() => this.#keep(one, picture)).catch(notifyError);
  }

  /** Corrections of single characters become labelled pictures; one that is taken back is removed. */
  async #keep(one, picture) {
    if (one.sampleId) {
      await removeKept(one.sampleId);
      one.sampleId = null;
    }
    if (!isCorrected(one) || [...one.text].length !== 1 || !picture) return;
    const { text } = one;
    one.sampleId = await keepPicture(KEPT_IN, text, await picture);
    notify(texts.read.saved(text));
  }

  #confirm(place) {
    this.#page.characters[place].isConfirmed = true;
    this.#update(place);
    announce(texts.read.confirmed(this.#page.characters[place].text), 100);
    this.#goToUnsure(place);
  }

  #goToUnsure(after = this.#selected) {
    const place = this.#page.nextUnsure(after);
    if (place >= 0) this.#text.focus(place);
    else this.#text.focus(Math.max(after, 0));
  }

  #update(place) {
    const one = this.#page.characters[place];
    this.#text.update(place);
    this.#overlay.update(place, one);
    this.#corrector.show(place, one, this.#page, this.#isShown ? this.#url : "");
    this.#summarise();
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#page.text);
      notify(texts.read.copied);
    } catch {
      notify(texts.read.notCopied);
    }
  }

  #stem() {
    return (this.#file.name || "page").replace(/\.[^.]*$/, "");
  }
}
