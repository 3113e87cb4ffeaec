// Label review: one doubtful image after the other; every decision is saved before the next one is shown.
import { get, post, remove } from "./api.js";
import { button, h, isTyping } from "./dom.js";
import { showGlyph } from "./files.js";
import { isCommand } from "./keys.js";
import { announce, explain, notify, notifyError } from "./notices.js";
import { texts } from "./texts.js";

const AT_ONCE = 50; // images fetched together
const AHEAD = 10; // left before the next ones are fetched

export class ReviewView {
  #run;
  #part;
  #labels = [];
  #classNames = [];
  #total = 0;
  #decided = 0;
  #place = 0;
  #undoable = []; // places of decisions, newest last
  #isBusy = false;
  #fetching = null;
  #position = h("p", { class: "muted number", role: "status" });
  #bar = h("progress", { max: 1, value: 0, "aria-label": texts.review.progress });
  #image = h("img", { class: "review-image glyph", alt: "" });
  #given = h("span", { class: "review-label character" });
  #suggested = h("span", { class: "review-label character" });
  #confidence = h("p", { class: "muted" });
  #decision = h("p", { class: "review-decision" });
  #keep = keyed("K", texts.review.keep, () => this.#decide("keep"), { "aria-keyshortcuts": "k" });
  #relabelName = h("span", {});
  #relabel = keyed("R", this.#relabelName, () => this.#decide("relabel", this.#current.suggested), {
    class: "primary",
    "aria-keyshortcuts": "r",
  });
  #discard = keyed("D", texts.review.discard, () => this.#decide("discard"), { "aria-keyshortcuts": "d" });
  #undo = button(texts.review.undo, () => this.#takeBack(), {
    iconName: "undo",
    class: "quiet",
    disabled: true,
    "aria-keyshortcuts": "u",
  });
  #names = h("datalist", { id: "class-names" });
  #other = h("input", {
    type: "text",
    id: "other-label",
    list: "class-names",
    class: "label-input character",
    autocomplete: "off",
    autocapitalize: "none",
    placeholder: "…",
  });
  #command = h("code", {});
  #card = h("div", { class: "card review-card", hidden: true });
  #note = h("p", { class: "note", role: "status" }, texts.look.loading);

  constructor(run, part) {
    this.#run = run;
    this.#part = part;
    this.#build();
    this.element = h(
      "section",
      { class: "review" },
      h("div", { class: "view-head" }, h("h1", {}, texts.review.title(run)), h("p", {}, texts.review.lead)),
      this.#note,
      this.#card,
    );
    this.#load().catch((error) => {
      this.#note.textContent = explain(error);
    });
  }

  onKey(event) {
    if (isTyping(event) || !isCommand(event) || !this.#current) return;
    const does = {
      k: () => this.#decide("keep"),
      r: () => this.#decide("relabel", this.#current.suggested),
      l: () => this.#other.focus(),
      d: () => this.#decide("discard"),
      u: () => this.#takeBack(),
      arrowleft: () => this.#goTo(this.#place - 1),
      arrowright: () => this.#goTo(this.#place + 1),
    }[event.key.toLowerCase()];
    if (!does) return;
    event.preventDefault();
    does();
  }

  get #current() {
    return this.#labels[this.#place];
  }

  #build() {
    const pair = (label, node) => h("div", { class: "review-pair" }, h("span", { class: "small muted" }, label), node);
    const other = h(
      "form",
      { class: "row" },
      h("label", { for: "other-label" }, texts.review.otherLabel, " ", h("kbd", { "aria-hidden": "true" }, "L")),
      this.#other,
      this.#names,
      h("button", { type: "submit" }, texts.review.other),
    );
    other.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#decideOther();
    });
    this.#other.addEventListener("keydown", (event) => event.key === "Escape" && this.#other.blur());
    const before = button(texts.review.before, () => this.#goTo(this.#place - 1), { iconName: "back", class: "quiet" });
    const next = button(texts.review.next, () => this.#goTo(this.#place + 1), { class: "quiet" });
    this.#card.append(
      h(
        "div",
        { class: "row spread review-top" },
        this.#position,
        h("div", { class: "row" }, before, next, this.#undo),
        this.#bar,
      ),
      h("div", { class: "review-picture" }, this.#image),
      h(
        "div",
        { class: "stack review-facts" },
        h(
          "div",
          { class: "row review-pairs" },
          pair(texts.review.given, this.#given),
          pair(texts.review.suggested, this.#suggested),
        ),
        this.#confidence,
        this.#decision,
        h("div", { class: "row" }, this.#keep, this.#relabel, this.#discard),
        other,
        h("p", { class: "small muted" }, texts.review.apply, this.#command),
      ),
    );
  }

  async #load() {
    await this.#fetchMore();
    const undecided = this.#labels.findIndex(({ decision }) => !decision);
    this.#note.hidden = this.#total > 0;
    this.#note.textContent = texts.review.none;
    this.#card.hidden = this.#total === 0;
    if (this.#total) this.#goTo(Math.max(0, undecided));
  }

  #fetchMore() {
    const offset = this.#labels.length;
    this.#fetching ??= get(`runs/${encodeURIComponent(this.#run)}/labels`, {
      split: this.#part,
      offset,
      limit: AT_ONCE,
    })
      .then(({ labels, class_names: names, total, decided, apply }) => {
        if (!offset) this.#decided = decided;
        this.#command.textContent = apply;
        this.#labels.push(...labels);
        this.#total = total;
        this.#classNames = names;
        this.#names.replaceChildren(...names.map((value) => h("option", { value })));
      })
      .finally(() => {
        this.#fetching = null;
      });
    return this.#fetching;
  }

  async #goTo(place) {
    if (place < 0 || place >= this.#total) return;
    if (place >= this.#labels.length - AHEAD && this.#labels.length < this.#total) {
      const fetched = this.#fetchMore();
      if (place >= this.#labels.length) await fetched.catch(notifyError);
      else fetched.catch(notifyError);
    }
    if (!this.#labels[place]) return;
    this.#place = place;
    this.#show();
  }

  #show() {
    const { id, given, suggested, self_confidence: share, png, decision } = this.#current;
    const { review } = texts;
    this.#position.textContent = review.place(this.#place + 1, this.#total, this.#decided);
    showGlyph(this.#image, png);
    this.#image.alt = review.image(id, given);
    this.#given.textContent = given;
    this.#suggested.textContent = suggested;
    this.#confidence.textContent = review.confidence(given, share);
    this.#bar.value = this.#decided / this.#total;
    this.#relabelName.textContent = review.relabel(suggested);
    this.#decision.textContent = decision ? review.decisions[decision.action](given, decision.label) : review.undecided;
    this.#decision.dataset.action = decision?.action ?? "";
    this.#undo.disabled = !decision && this.#undoable.length === 0;
    this.#other.value = "";
  }

  #decideOther() {
    const label = this.#other.value.trim();
    if (!this.#classNames.includes(label)) return notify(texts.review.unknownLabel(label));
    this.#other.blur();
    this.#decide(label === this.#current.given ? "keep" : "relabel", label);
  }

  async #decide(action, label) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const [place, row] = [this.#place, this.#current];
    const decision = action === "relabel" ? { action, label } : { action };
    try {
      this.#decided = (await post(this.#address(row), decision)).decided;
      row.decision = decision;
      // Each place once: whatever was decided there, one undo takes it back.
      this.#undoable = [...this.#undoable.filter((each) => each !== place), place];
      announce(texts.review.decisions[action](row.given, label), 50);
      if (place + 1 < this.#total) await this.#goTo(place + 1);
      else this.#finish();
    } catch (error) {
      notifyError(error);
    } finally {
      this.#isBusy = false;
    }
  }

  async #takeBack() {
    const place = this.#undoable.at(-1) ?? this.#place;
    if (!this.#labels[place].decision || this.#isBusy) return;
    this.#isBusy = true;
    try {
      this.#decided = (await remove(this.#address(this.#labels[place]))).decided;
      this.#undoable.pop();
      this.#labels[place].decision = null;
      await this.#goTo(place);
    } catch (error) {
      notifyError(error);
    } finally {
      this.#isBusy = false;
    }
  }

  #finish() {
    this.#show();
    notify(texts.review.done);
  }

  #address({ id }) {
    return `runs/${encodeURIComponent(this.#run)}/labels/${encodeURIComponent(id)}?split=${encodeURIComponent(this.#part)}`;
  }
}

/** A button that shows its key. */
function keyed(key, name, onClick, props) {
  const node = button(name, onClick, props);
  node.append(h("kbd", { "aria-hidden": "true" }, key));
  return node;
}
