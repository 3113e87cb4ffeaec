// One teaching: ordered, watched, and what came out of it.
import { address, get, post, remove } from "./api.js";
import { button, checkbox, field, h, icon, select, setOptions } from "./dom.js";
import { models } from "./models.js";
import { announce, notifyError } from "./notices.js";
import { ENOUGH, FEWEST } from "./sheet.js";
import { texts } from "./texts.js";

const POLL_MILLISECONDS = 500;

/** The card with the Teach button, the progress and the result. */
export class TeachJob {
  #alphabet = "";
  #job = null;
  #state = null;
  #timer = 0;
  #isReady = false;
  #adds = false;
  #title = h("h2", { class: "step step-3" }, texts.teach.steps.teach);
  #hint = h("p", { class: "teach-hint muted" });
  #base = select([], undefined, () => {});
  #teach = button(texts.teach.teach, () => this.#order(), { class: "primary" });
  #stop = button(texts.teach.stop, () => this.#cancel(), { hidden: true });
  #bar = h("progress", { max: 1, value: 0, "aria-label": texts.teach.progress });
  #message = h("p", { class: "small muted" });
  #options = h("div", { class: "row teach-options" });
  #running = h("div", { class: "stack", hidden: true }, this.#bar, this.#message);
  #result = h("div", { class: "stack teach-result", hidden: true, role: "status" });

  constructor() {
    this.#options.append(
      field(texts.teach.base, this.#base),
      checkbox(texts.teach.add, false, (isOn) => {
        this.#adds = isOn;
      }),
    );
    this.element = h(
      "div",
      { class: "card teach-job stack" },
      h(
        "div",
        { class: "row spread" },
        h("div", { class: "teach-words" }, this.#title, this.#hint),
        h("div", { class: "row" }, this.#stop, this.#teach),
      ),
      this.#running,
      this.#result,
      this.#options,
    );
    models.addEventListener("change", () => this.#showModels());
    this.#showModels();
  }

  /** Go on with the teaching that an alphabet had last, if any. */
  follow(alphabet, job) {
    clearTimeout(this.#timer);
    this.#alphabet = alphabet;
    this.#job = job;
    this.#state = null;
    this.#show();
    if (job) this.#poll();
  }

  /** classes: [{label, ids}], whose counts decide whether it can be taught. */
  update(classes) {
    const counts = classes.map(({ ids }) => ids.length);
    const wanting = classes.filter(({ ids }) => ids.length < FEWEST).map(({ label }) => label);
    this.#isReady = classes.length >= 2 && wanting.length === 0;
    if (classes.length < 2) this.#hint.textContent = texts.teach.hintNone;
    else if (wanting.length) this.#hint.textContent = texts.teach.hintNeeds(wanting.slice(0, 6));
    else this.#hint.textContent = Math.min(...counts) < ENOUGH ? texts.teach.hintReady : texts.teach.hintGood;
    this.#show();
  }

  #showModels() {
    const chosen = this.#base.value || models.list.find((model) => model.default)?.id;
    setOptions(
      this.#base,
      models.list.map(({ id, name }) => [id, name]),
      chosen,
    );
  }

  async #order() {
    try {
      const { job } = await post("teach", {
        alphabet: this.#alphabet,
        base: this.#base.value || null,
        add: this.#adds,
      });
      this.follow(this.#alphabet, job);
    } catch (error) {
      notifyError(error);
    }
  }

  async #cancel() {
    try {
      await remove(`teach/${this.#job}`);
      this.#poll();
    } catch (error) {
      notifyError(error);
    }
  }

  async #poll() {
    const job = this.#job;
    clearTimeout(this.#timer);
    const wasRunning = isRunning(this.#state);
    try {
      const state = await get(`teach/${job}`);
      if (job !== this.#job) return;
      this.#state = state;
    } catch (error) {
      if (job !== this.#job) return;
      if (error.status === 404) this.#state = null;
      else if (wasRunning) this.#timer = setTimeout(() => this.#poll(), 4 * POLL_MILLISECONDS); // it may be restarting
      return this.#show();
    }
    if (isRunning(this.#state)) this.#timer = setTimeout(() => this.#poll(), POLL_MILLISECONDS);
    else if (wasRunning) await this.#finish();
    this.#show();
  }

  async #finish() {
    announce(texts.teach.states[this.#state.state], 100);
    if (this.#state.model) await models.load().catch(notifyError);
  }

  #show() {
    const state = this.#state;
    const runs = isRunning(state);
    this.#teach.disabled = !this.#isReady;
    this.#teach.hidden = this.#options.hidden = runs;
    this.#teach.textContent = state?.state === "done" ? texts.teach.teachAgain : texts.teach.teach;
    this.#stop.hidden = !runs;
    this.#running.hidden = !runs;
    this.#hint.hidden = runs;
    if (runs) {
      this.#bar.value = state.progress;
      this.#message.textContent = [texts.teach.states[state.state], state.message].filter(Boolean).join(": ");
    }
    this.#result.hidden = !state || runs;
    if (!this.#result.hidden)
      this.#result.replaceChildren(...(state.state === "done" ? this.#success(state) : failure(state)));
  }

  #success({ accuracy, seconds, model }) {
    const use = () => {
      models.choose(model);
      location.hash = "#draw";
    };
    const time = seconds ? texts.teach.seconds(seconds) : "";
    return [
      h("p", { class: "teach-done" }, icon("check"), h("strong", {}, texts.teach.states.done), time && ` ${time}`),
      accuracy ? h("p", { class: "teach-accuracy" }, texts.teach.accuracy(accuracy)) : null,
      h(
        "div",
        { class: "row" },
        model && button(texts.teach.use, use, { iconName: "pen", class: "primary" }),
        model &&
          h(
            "a",
            { class: "button", href: address(`models/${encodeURIComponent(model)}/file`) },
            icon("download"),
            texts.teach.file,
          ),
      ),
    ].filter(Boolean);
  }
}

function failure({ message }) {
  return [h("p", { class: "note bad" }, `${texts.teach.states.failed}: ${message}`)];
}

function isRunning(state) {
  return state?.state === "waiting" || state?.state === "running";
}
