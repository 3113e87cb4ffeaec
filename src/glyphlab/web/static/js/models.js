// The models that may answer, and the one that is chosen: for all pages, and for the next visit.
import { get } from "./api.js";
import { recall, remember } from "./store.js";

class Models extends EventTarget {
  list = [];
  #chosen = recall("model", "");

  /** Ask the service again, as after teaching. Throws `ApiError`. */
  async load() {
    this.list = (await get("models")).models;
    this.dispatchEvent(new Event("change"));
  }

  /** Null until the list has come. */
  get current() {
    const find = (test) => this.list.find(test);
    return find((model) => model.id === this.#chosen) ?? find((model) => model.default) ?? this.list[0] ?? null;
  }

  choose(id) {
    this.#chosen = id;
    remember("model", id);
    this.dispatchEvent(new Event("change"));
  }
}

export const models = new Models();
