// Asking while the question still changes: one request at a time, and then only the newest question.

/** Calls `ask(question, signal)` one at a time; of the questions that come meanwhile only the last is asked. */
export class Latest {
  #ask;
  #answer;
  #fail;
  #waiting = null;
  #abort = null;

  constructor({ ask, answer, fail }) {
    this.#ask = ask;
    this.#answer = answer;
    this.#fail = fail;
  }

  get isBusy() {
    return this.#abort !== null;
  }

  request(question) {
    this.#waiting = { question };
    if (!this.#abort) this.#run();
  }

  /** Forget what is under way and what waits: their answers would be about something that is gone. */
  cancel() {
    this.#waiting = null;
    this.#abort?.abort();
    this.#abort = null;
  }

  async #run() {
    while (this.#waiting) {
      const { question } = this.#waiting;
      const abort = new AbortController();
      this.#waiting = null;
      this.#abort = abort;
      try {
        const answer = await this.#ask(question, abort.signal);
        if (this.#abort !== abort) return; // cancelled; whoever asked anew runs on their own
        this.#answer(answer, question);
      } catch (error) {
        if (this.#abort !== abort) return;
        const seconds = this.#fail(error, question);
        if (seconds) await this.#pause(seconds, question);
        if (this.#abort !== abort) return;
      }
    }
    this.#abort = null;
  }

  /** The service is full: wait, then ask the newest question, or this one again. */
  async #pause(seconds, question) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    this.#waiting ??= { question };
  }
}
