// What the network answers, in large and in bars, and how sure it is in plain words.
import { h } from "./dom.js";
import { showGlyph } from "./files.js";
import { texts } from "./texts.js";

const BARS = 5;

/** The answer's place on the page; `show(answer)`, `showBlank()`. */
export class AnswerPanel {
  #character = h("div", { class: "answer-character character" });
  #words = h("p", { class: "answer-words" });
  #bars = Array.from({ length: BARS }, () => new Bar());
  #list = h(
    "ol",
    { class: "bars", "aria-label": texts.answer.bars },
    this.#bars.map((bar) => bar.element),
  );
  #line = h("ol", { class: "line-characters", "aria-label": texts.answer.lineCharacters, hidden: true });
  #glyph = h("img", { class: "glyph", width: 112, height: 112, alt: "" });
  #sees = h("figure", { class: "sees" }, this.#glyph, h("figcaption", { class: "small muted" }, texts.answer.sees));
  #time = h("span", { class: "small muted number answer-time" });
  #blank = h("p", { class: "answer-blank small muted" }, texts.answer.blankHint);
  element = h(
    "section",
    { class: "card answer", "aria-label": texts.answer.title },
    h("div", { class: "answer-main" }, this.#character, this.#words),
    h("div", { class: "answer-detail" }, this.#list, this.#line),
    this.#sees,
    this.#time,
    this.#blank,
  );

  showBlank() {
    this.element.dataset.state = "blank";
    this.#character.textContent = "";
    this.#words.textContent = texts.answer.blank;
    this.#bars.forEach((bar) => bar.show(null));
    this.#showLine(null);
    this.#glyph.removeAttribute("src");
    this.#time.textContent = "";
  }

  /** answer: of predict/strokes. Returns the sentence that says it. */
  show(answer) {
    const line = answer.line?.characters?.length ? answer.line : null;
    const text = line ? line.text : answer.character;
    const sentence = line ? sentenceOfLine(line) : sentenceOf(answer);
    this.element.dataset.state = (line ? isLineSure(line) : answer.sure) ? "sure" : "unsure";
    this.#character.textContent = text;
    this.#character.style.setProperty("--count", Math.max(1, [...text].length));
    this.#words.textContent = sentence;
    this.#showLine(line);
    if (!line) ranked(answer).forEach((one, place) => this.#bars[place].show(one, answer.set.includes(one?.character)));
    showGlyph(this.#glyph, answer.glyph);
    this.#glyph.alt = texts.answer.seesAlt(answer.character);
    this.#time.textContent = texts.answer.time(answer.milliseconds);
    return sentence;
  }

  #showLine(line) {
    this.#list.hidden = line !== null;
    this.#line.hidden = line === null;
    this.#sees.hidden = line !== null;
    this.#line.replaceChildren(...(line?.characters ?? []).map(lineCharacter));
  }
}

class Bar {
  #name = h("span", { class: "bar-name character" });
  #fill = h("span", { class: "bar-fill" });
  #share = h("span", { class: "bar-share number" });
  element = h(
    "li",
    { class: "bar" },
    this.#name,
    h("span", { class: "bar-rail", "aria-hidden": "true" }, this.#fill),
    this.#share,
  );

  show(one, isPossible = false) {
    this.#name.textContent = one?.character ?? "";
    this.#share.textContent = one ? texts.percent(one.probability) : "";
    this.#fill.style.setProperty("--share", one?.probability ?? 0);
    this.element.classList.toggle("possible", isPossible);
    this.element.classList.toggle("empty", !one);
  }
}

/** The best five, the answer itself first; null where there are fewer. */
function ranked({ character, probability, alternatives }) {
  const others = alternatives.filter((one) => one.character !== character);
  const all = [{ character, probability }, ...others];
  return Array.from({ length: BARS }, (_, place) => all[place] ?? null);
}

function sentenceOf({ character, sure, set }) {
  if (sure) return texts.answer.sure(character);
  if (set.length > 1 && set.length <= 4) return texts.answer.oneOf(set);
  return texts.answer.unsure(character);
}

function isLineSure(line) {
  return line.characters.every(({ set }) => set.length <= 1);
}

function sentenceOfLine(line) {
  const doubtful = line.characters.filter(({ set }) => set.length > 1);
  return texts.answer.line(
    line.characters.length,
    doubtful.map(({ set }) => set),
  );
}

function lineCharacter({ character, probability, set }) {
  const isDoubtful = set.length > 1;
  return h(
    "li",
    { class: isDoubtful ? "doubtful" : "" },
    h("span", { class: "character" }, isDoubtful ? set.slice(0, 3).join(" ") : character),
    h("span", { class: "small number muted" }, texts.percent(probability)),
  );
}
