// Teach: draw a few of each character, and a network learns them.
import { AlphabetForm } from "./alphabetform.js";
import { address, get, patch, post, remove } from "./api.js";
import { confirmed, named } from "./ask.js";
import { button, field, h, icon, iconButton, isTyping, select, setOptions } from "./dom.js";
import { KEPT_IN, keepDrawing, keepPicture, removeKept } from "./kept.js";
import { isCommand } from "./keys.js";
import { announce, notify, notifyError } from "./notices.js";
import { Pad } from "./pad.js";
import { ENOUGH, Sheet } from "./sheet.js";
import { recall, remember } from "./store.js";
import { TeachJob } from "./teachjob.js";
import { texts } from "./texts.js";
import { Toolbar } from "./toolbar.js";

const NEW = "";

export function create() {
  return new TeachView();
}

class TeachView {
  #alphabets = [];
  #name = recall("alphabet", NEW);
  #listed = NEW; // the alphabet on the sheet: the chosen one, once its list has come
  #classes = []; // of the alphabet on the sheet: {label, ids}
  #label = null; // to be drawn now
  #asked = 0;
  #saving = Promise.resolve();
  #pad = new Pad(texts.pad.label);
  #toolbar = new Toolbar(this.#pad, { onClear: () => this.#pad.clear() });
  #hint = h("p", { class: "pad-hint", "aria-hidden": "true" });
  #prompt = h("h2", { class: "prompt step step-2", "aria-live": "polite" });
  #keep = button(texts.teach.keep, () => this.#keepDrawing(), {
    class: "primary",
    iconName: "check",
    "aria-keyshortcuts": "Enter",
  });
  #list = select([], undefined, (name) => this.#choose(name));
  #form = new AlphabetForm(
    (name, labels) => this.#nameCharacters(name, labels),
    () => this.#toggleForm(false),
  );
  #zip = h("a", { class: "button quiet" }, icon("download"), texts.teach.zip);
  #more = button(texts.teach.more, () => this.#toggleForm(true), { iconName: "plus", class: "quiet" });
  #sheet = new Sheet({
    onChoose: (label) => this.#draw(label),
    onUpload: (label, files) => this.#upload(label, files),
    onDelete: (label, id, image) => this.#removeDrawing(label, id, image),
    onDeleteCharacter: (label) => this.#removeCharacter(label),
  });
  #job = new TeachJob();
  #rename = iconButton("pen", texts.teach.rename, () => this.#renameAlphabet());
  #delete = iconButton("clear", texts.teach.remove, () => this.#removeAlphabet());
  #head = h(
    "div",
    { class: "row alphabet-head", hidden: true }, // until the alphabets have come
    field(texts.teach.alphabet, this.#list, { class: "field alphabet" }),
    this.#rename,
    this.#delete,
  );
  #work;

  constructor() {
    this.#work = h(
      "div",
      { class: "teach-work", hidden: true },
      h(
        "section",
        { class: "teach-pad", "aria-label": texts.teach.drawA },
        h(
          "div",
          { class: "row spread prompt-row" },
          this.#prompt,
          button(texts.teach.skip, () => this.#skip(), { class: "quiet" }),
        ),
        h("div", { class: "card stage" }, this.#pad.element, this.#hint, this.#toolbar.element),
        this.#keep,
      ),
      h(
        "section",
        { class: "teach-sheet stack", "aria-labelledby": "sheet-title" },
        h(
          "div",
          { class: "row spread" },
          h("h2", { id: "sheet-title" }, texts.teach.sheet),
          h("div", { class: "row" }, this.#more, this.#zip),
        ),
        this.#sheet.element,
        this.#job.element,
      ),
    );
    this.element = h(
      "div",
      { class: "teach" },
      h("div", { class: "view-head" }, h("h1", {}, texts.tabs.teach), h("p", {}, texts.teach.lead)),
      h("p", { class: "unseen", id: "pad-help" }, texts.pad.help),
      this.#head,
      this.#form.element,
      this.#work,
    );
    for (const type of ["point", "settle"]) this.#pad.addEventListener(type, () => this.#update());
  }

  async onShow() {
    try {
      await this.#load();
    } catch (error) {
      notifyError(error);
    }
  }

  onKey(event) {
    if (isTyping(event) || this.#work.hidden) return;
    const key = event.key.toLowerCase();
    const isModified = event.ctrlKey || event.metaKey;
    const isOnControl = Boolean(event.target.closest?.("button, a, summary"));
    if (isModified && (key === "z" || key === "y")) {
      event.preventDefault();
      if (key === "y" || event.shiftKey) this.#pad.redo();
      else this.#pad.undo();
    } else if (key === "enter" && !isOnControl) this.#keepDrawing();
    else if (isCommand(event)) {
      if (key === "delete" || key === "backspace") this.#pad.clear();
      else this.#toolbar.onKey(event);
    }
  }

  /** Show which alphabets there are, and the one called `wanted`, or else the one that is chosen. */
  async #load(wanted) {
    this.#alphabets = (await get("alphabets")).alphabets;
    const name = wanted ?? this.#name;
    const isThere = this.#alphabets.some((one) => one.name === name);
    await this.#choose(isThere ? name : (this.#alphabets.find((one) => one.name !== KEPT_IN)?.name ?? NEW));
  }

  async #choose(name) {
    const asked = ++this.#asked;
    this.#name = name;
    remember("alphabet", name);
    const options = this.#alphabets.map((one) => [one.name, one.name]);
    setOptions(this.#list, [...options, [NEW, texts.teach.newAlphabet]], name);
    const isNew = name === NEW;
    this.#head.hidden = !options.length;
    this.#rename.hidden = this.#delete.hidden = isNew;
    this.#work.hidden = isNew || name !== this.#listed; // what is drawn for one alphabet must not get into another
    this.#toggleForm(isNew);
    if (isNew) return;
    this.#zip.href = address("samples/export", { alphabet: name });
    try {
      const { classes } = await get("samples", { alphabet: name });
      if (asked === this.#asked) this.#show(name, classes);
    } catch (error) {
      if (asked === this.#asked) notifyError(error);
    }
  }

  #show(name, classes) {
    this.#listed = name;
    this.#classes = classes.map(({ label, ids }) => ({ label, ids }));
    this.#work.hidden = false;
    this.#draw(this.#nextLabel());
    this.#job.follow(name, this.#alphabets.find((one) => one.name === name)?.job ?? null);
  }

  #toggleForm(isOpen) {
    this.#form.toggle(isOpen, this.#name, this.#alphabets.length > 0);
    if (!isOpen && this.#name === NEW && this.#alphabets.length) this.#choose(this.#alphabets.at(-1).name);
  }

  async #nameCharacters(name, labels) {
    try {
      const made = await post("alphabets", { name, classes: labels });
      await this.#load(made.name);
    } catch (error) {
      notifyError(error);
    }
  }

  /** The character that wants drawings: the present one until it has enough, then the next that has not. */
  #nextLabel() {
    const counts = this.#classes.map(({ ids }) => ids.length);
    const present = this.#classes.findIndex(({ label }) => label === this.#label);
    if (present >= 0 && counts[present] < ENOUGH) return this.#label;
    const least = Math.min(...counts);
    const wanting =
      this.#classes.find((_, place) => counts[place] < ENOUGH) ??
      this.#classes.find((_, place) => counts[place] === least);
    return wanting?.label ?? null;
  }

  #skip() {
    const place = this.#classes.findIndex(({ label }) => label === this.#label);
    this.#draw(this.#classes[(place + 1) % this.#classes.length]?.label ?? null);
  }

  #draw(label) {
    this.#label = label;
    this.#prompt.replaceChildren(`${texts.teach.drawA} `, h("strong", { class: "character" }, label ?? ""));
    this.#pad.label = texts.teach.padLabel(label ?? "");
    this.#hint.textContent = label === null ? "" : texts.teach.hintPad(label);
    this.#update();
  }

  #update() {
    this.#toolbar.update();
    this.#keep.disabled = this.#pad.drawing.isEmpty || this.#label === null;
    this.#hint.hidden = !this.#pad.drawing.isEmpty;
    this.#sheet.show(this.#classes, this.#label);
    this.#job.update(this.#classes);
  }

  /** The canvas is free at once; what was drawn is saved behind it, one after the other. */
  #keepDrawing() {
    if (this.#pad.drawing.isEmpty || this.#label === null) return;
    const [name, label, drawing] = [this.#name, this.#label, this.#pad.drawing.toJson()];
    this.#pad.reset();
    this.#saving = this.#saving
      .then(() => keepDrawing(name, label, drawing))
      .then(
        (id) => this.#added(name, label, id),
        (error) => {
          notifyError(error);
          this.#putBack(name, label, drawing);
        },
      );
  }

  /** Nothing is lost: what could not be saved is on the canvas again, as the character that it was drawn for. */
  #putBack(name, label, drawing) {
    if (!this.#find(name, label) || !this.#pad.drawing.isEmpty) return;
    this.#draw(label);
    this.#pad.load(drawing);
  }

  #upload(label, files) {
    const name = this.#name;
    this.#saving = this.#saving.then(async () => {
      let count = 0;
      for (const file of files) {
        try {
          this.#added(name, label, await keepPicture(name, label, file));
          count += 1;
        } catch (error) {
          notifyError(error);
        }
      }
      if (count) notify(texts.teach.uploaded(count, label));
    });
  }

  /** A character on the sheet; undefined where the sheet is no longer, or not yet, that alphabet's. */
  #find(name, label) {
    if (name !== this.#name || name !== this.#listed) return undefined;
    return this.#classes.find((each) => each.label === label);
  }

  #added(name, label, id) {
    const one = this.#find(name, label);
    if (!one || one.ids.includes(id)) return; // a list that came after it was saved has it already
    one.ids.push(id);
    announce(texts.teach.counted(label, one.ids.length), 100);
    const next = this.#nextLabel();
    if (this.#label === label && next !== label) this.#draw(next);
    else this.#update();
  }

  async #renameAlphabet() {
    const before = this.#name;
    const name = await named(texts.teach.rename, texts.teach.name, before, texts.teach.doRename);
    if (name === null) return;
    try {
      await this.#saving; // what was just drawn goes with it
      const renamed = await patch("alphabets", { name }, { alphabet: before });
      if (this.#listed === before) this.#listed = renamed.name;
      if (this.#name === before) this.#name = renamed.name;
      await this.#load();
    } catch (error) {
      notifyError(error);
    }
  }

  async #removeAlphabet() {
    const name = this.#name;
    const count = this.#classes.reduce((sum, { ids }) => sum + ids.length, 0);
    if (!(await confirmed(texts.teach.removeAsk(name), texts.teach.removeDetails(count), texts.teach.doRemove))) return;
    await this.#removeUndoably("alphabets", { alphabet: name }, texts.teach.removed(name));
  }

  async #removeCharacter(label) {
    const alphabet = this.#name;
    await this.#saving; // what was just drawn goes with it
    await this.#removeUndoably("alphabets/characters", { alphabet, label }, texts.teach.removed(label));
  }

  async #removeUndoably(path, query, message) {
    const restore = async (thing) => this.#load((await post("alphabets/restored", thing)).name);
    try {
      const thing = await remove(path, query);
      await this.#load();
      notify(message, { action: [texts.undo, () => restore(thing).catch(notifyError)] });
    } catch (error) {
      notifyError(error);
    }
  }

  async #removeDrawing(label, id, image) {
    const name = this.#name;
    try {
      const picture = await (await fetch(image)).blob();
      await removeKept(id);
      const one = this.#find(name, label);
      if (one) one.ids = one.ids.filter((each) => each !== id);
      this.#update();
      const restore = async () => this.#added(name, label, await keepPicture(name, label, picture));
      notify(texts.teach.deleted(label), { action: [texts.undo, () => restore().catch(notifyError)] });
    } catch (error) {
      notifyError(error);
    }
  }
}
