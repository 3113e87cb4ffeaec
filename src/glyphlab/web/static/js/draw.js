// Draw: a canvas whose answer changes while one draws.
import { address, get, post } from "./api.js";
import { AnswerPanel } from "./answer.js";
import { button, field, h, icon, iconButton, isTyping, scrolling, select } from "./dom.js";
import { extentOf } from "./drawing.js";
import { Explain } from "./explain.js";
import { canvasBlob, download } from "./files.js";
import { History } from "./history.js";
import { isCommand } from "./keys.js";
import { KEPT_IN, keepDrawing } from "./kept.js";
import { LabelForm } from "./labelling.js";
import { Latest } from "./latest.js";
import { models } from "./models.js";
import { announce, explain, notify, notifyError } from "./notices.js";
import { OnlyChoice } from "./options.js";
import { Pad } from "./pad.js";
import { recall, remember } from "./store.js";
import { texts } from "./texts.js";
import { Toolbar } from "./toolbar.js";

const TOP = 4;

export function create() {
  return new DrawView();
}

class DrawView {
  #pad = new Pad(texts.pad.label);
  #toolbar = new Toolbar(this.#pad, { onClear: () => this.#clear() });
  #panel = new AnswerPanel();
  #only = new OnlyChoice("draw");
  #line = select(Object.entries(texts.draw.lines), recall("line", "auto"), (value) => {
    remember("line", value);
    this.#ask();
  });
  #history = new History((entry) => this.#open(entry));
  #label = new LabelForm(
    (label) => this.#keep(label),
    () => this.#closeLabel(),
  );
  #explain = new Explain(() => this.#question());
  #problem = h("p", { class: "note bad", role: "alert", hidden: true });
  #hint = h("p", { class: "pad-hint", "aria-hidden": "true" }, texts.draw.hint);
  #wrong = button(texts.draw.wrong, () => this.#openLabel(), { "aria-keyshortcuts": "w", disabled: true });
  #collection = h("a", { class: "button quiet", hidden: true });
  #answer = null;
  #pointTimes = new WeakMap(); // by question: when the point came that made it be asked
  #questions = new Latest({
    ask: (question, signal) => post("predict/strokes", question, { signal }),
    answer: (answer, question) => this.#show(answer, this.#pointTimes.get(question)),
    fail: (error) => this.#fail(error),
  });

  constructor() {
    const stage = h("div", { class: "card stage" }, this.#pad.element, this.#hint, this.#toolbar.element);
    this.element = h(
      "div",
      { class: "draw" },
      h("h1", { class: "unseen" }, texts.tabs.draw),
      h("p", { class: "unseen", id: "pad-help" }, texts.pad.help),
      stage,
      h(
        "div",
        { class: "draw-side" },
        this.#panel.element,
        this.#problem,
        this.#actions(),
        this.#explain.element,
        this.#settings(),
      ),
      this.#explain.pictures,
      this.#history.element,
    );
    for (const type of ["point", "settle"]) this.#pad.addEventListener(type, () => this.#changed());
    this.#only.addEventListener("change", () => this.#ask());
    models.addEventListener("change", () => this.#ask());
    this.#panel.showBlank();
    this.#showCollection();
  }

  onShow() {
    this.#showCollection();
  }

  onHide() {
    this.#remember();
  }

  /** Keys of the page; those of the canvas itself are the pad's. */
  onKey(event) {
    if (isTyping(event)) return;
    const key = event.key.toLowerCase();
    const isModified = event.ctrlKey || event.metaKey;
    if (isModified && key === "z") act(event, () => (event.shiftKey ? this.#pad.redo() : this.#pad.undo()));
    else if (isModified && key === "y") act(event, () => this.#pad.redo());
    else if (!isCommand(event)) return;
    else if (key === "delete" || key === "backspace") act(event, () => this.#clear());
    else if (key === "w" && !this.#wrong.disabled) act(event, () => this.#openLabel());
    else this.#toolbar.onKey(event);
  }

  #actions() {
    const picture = iconButton("picture", texts.draw.picture, () => this.#savePicture());
    const buttons = h("div", { class: "row" }, this.#wrong, picture, this.#collection);
    return h("div", { class: "card draw-actions" }, buttons, this.#label.element);
  }

  #settings() {
    const choices = h("div", { class: "stack" }, this.#only.element, field(texts.draw.line, this.#line));
    return h("details", { class: "card settings" }, h("summary", {}, texts.draw.settings), choices);
  }

  #question() {
    const line = { auto: "auto", yes: true, no: false }[this.#line.value];
    return {
      model: models.current?.id,
      only: this.#only.value || undefined,
      top: TOP,
      line,
      ...this.#pad.drawing.toJson(),
    };
  }

  #changed() {
    const pointTime = performance.now();
    this.#toolbar.update();
    this.#explain.forget();
    if (this.#label.isOpen && this.#pad.drawing.isEmpty) this.#closeLabel();
    this.#ask(pointTime);
  }

  #ask(pointTime = performance.now()) {
    const { isEmpty } = this.#pad.drawing;
    this.#hint.hidden = !isEmpty;
    if (!isEmpty) {
      const question = this.#question();
      this.#pointTimes.set(question, pointTime);
      return this.#questions.request(question);
    }
    this.#questions.cancel();
    this.#showBlank();
  }

  #show(answer, pointTime) {
    this.#problem.hidden = true;
    if (answer.blank) return this.#showBlank();
    this.#answer = answer;
    this.#wrong.disabled = false;
    this.#explain.enable(true);
    announce(this.#panel.show(answer));
    // How long one waits from a point of a stroke to its answer; benchmarks/draw_latency.py looks at it.
    performance.measure("glyphlab-answer", { start: pointTime, end: performance.now() });
  }

  #showBlank() {
    this.#answer = null;
    this.#problem.hidden = true;
    this.#wrong.disabled = true;
    this.#explain.enable(false);
    this.#panel.showBlank();
    announce(texts.answer.blank);
  }

  #fail(error) {
    if (error.status === 503) return error.retryAfterSeconds || 1;
    this.#problem.textContent = explain(error);
    this.#problem.hidden = false;
    return 0;
  }

  #clear() {
    this.#remember();
    this.#pad.clear();
    this.#closeLabel();
  }

  #remember() {
    if (this.#answer) this.#history.add(this.#pad.drawing.toJson(), answered(this.#answer), "");
  }

  #open(entry) {
    this.#remember();
    this.#pad.load(entry.drawing);
    scrollTo({ top: 0, behavior: scrolling() });
  }

  #openLabel() {
    const { character, alternatives, line } = this.#answer;
    if (line) this.#label.open([], texts.labelling.wrongLine(line.characters.length));
    else this.#label.open([...alternatives.map((one) => one.character), character], texts.labelling.wrong);
  }

  #closeLabel() {
    if (!this.#label.isOpen) return;
    this.#label.close();
    this.#pad.element.focus({ preventScroll: true });
  }

  async #keep(label) {
    const drawing = this.#pad.drawing.toJson();
    const answer = this.#answer;
    if (!answer) return; // it is being kept already
    const parts = partsOf(drawing, answer.line, label);
    if (!parts) return notify(texts.labelling.wrongLine(answer.line.characters.length));
    // Off the canvas first, so that nothing is kept twice and the next drawing can begin.
    this.#closeLabel();
    this.#pad.clear();
    try {
      for (const [name, part] of parts) await keepDrawing(KEPT_IN, name, part);
    } catch (error) {
      if (this.#pad.drawing.isEmpty) this.#pad.load(drawing);
      return notifyError(error);
    }
    notify(texts.draw.kept(label, KEPT_IN));
    this.#history.add(drawing, answered(answer), label);
    this.#showCollection();
  }

  async #savePicture() {
    if (this.#pad.drawing.isEmpty) return notify(texts.answer.blank);
    download(await canvasBlob(this.#pad.toPicture()), "glyphlab-drawing.png");
  }

  /** The link to all kept drawings, once there are some. */
  async #showCollection() {
    const { alphabets = [] } = await get("alphabets").catch(() => ({}));
    const kept = alphabets.find(({ name }) => name === KEPT_IN);
    this.#collection.hidden = !kept?.samples;
    if (!kept?.samples) return;
    this.#collection.href = address("samples/export", { alphabet: KEPT_IN });
    const tip = texts.draw.collectionTip(kept.samples);
    this.#collection.title = tip;
    this.#collection.replaceChildren(
      icon("download"),
      texts.draw.collection(kept.samples),
      h("span", { class: "unseen" }, tip),
    );
  }
}

/** What an answer says: a line's text, or one character. */
function answered({ line, character }) {
  return line?.text ?? character;
}

/** What is kept of a drawing: [[label, drawing], ...]; of a line each character for itself, null if counts differ. */
function partsOf(drawing, line, label) {
  if (!line) return [[label, drawing]];
  const names = [...label.replaceAll(/\s/g, "")];
  if (names.length !== line.characters.length) return null;
  const distance = (stroke, [x, , width]) => {
    const [left, , right] = extentOf([stroke]);
    return Math.abs((left + right) / 2 - (x + width / 2));
  };
  const boxes = line.characters.map(({ box }) => box);
  const nearest = drawing.strokes.map((stroke) => {
    const distances = boxes.map((box) => distance(stroke, box));
    return distances.indexOf(Math.min(...distances));
  });
  const parts = names.map((name, place) => [
    name,
    { ...drawing, strokes: drawing.strokes.filter((_, each) => nearest[each] === place) },
  ]);
  return parts.filter(([, { strokes }]) => strokes.length);
}

function act(event, does) {
  event.preventDefault();
  does();
}
