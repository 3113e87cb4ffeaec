// Look: what was trained here; reports, comparisons, and the review of labels.
import { address, get } from "./api.js";
import { button, h } from "./dom.js";
import { compareView } from "./compare.js";
import { explain } from "./notices.js";
import { ReviewView } from "./review.js";
import { texts } from "./texts.js";

export function create() {
  return new LookView();
}

class LookView {
  #runs = new RunsView();
  #shown = null; // a part of this view that takes keys
  #asked = 0;
  element = h("div", { class: "look" });

  /** path: [], ["labels", run, part], ["compare", a, b]. */
  async onShow(path) {
    const asked = ++this.#asked;
    const [part, ...names] = path;
    this.#shown = part === "labels" && names.length === 2 ? new ReviewView(...names) : null;
    if (this.#shown) return this.#put(this.#shown.element);
    if (part !== "compare" || names.length !== 2) {
      this.#put(this.#runs.element);
      return this.#runs.load();
    }
    this.#put(h("p", { class: "muted busy", role: "status" }, texts.look.busy));
    const view = await compareView(...names).catch((error) =>
      h("p", { class: "note bad", role: "alert" }, explain(error)),
    );
    if (asked === this.#asked) this.#put(view);
  }

  onKey(event) {
    this.#shown?.onKey(event);
  }

  #put(part) {
    const isRuns = part === this.#runs.element;
    const back = h("a", { class: "back-link", href: "#look" }, texts.look.back);
    this.element.replaceChildren(...(isRuns ? [part] : [back, part]));
  }
}

/** The table of runs. */
class RunsView {
  #chosen = new Set();
  #compare = button(texts.look.compare, () => this.#goToCompare(), { disabled: true });
  #hint = h("span", { class: "small muted" });
  #place = h("div", {});

  constructor() {
    this.element = h(
      "section",
      { "aria-label": texts.look.runs },
      h("div", { class: "view-head" }, h("h1", {}, texts.look.runs), h("p", {}, texts.look.lead)),
      this.#place,
    );
  }

  async load() {
    this.#place.replaceChildren(h("p", { class: "muted busy", role: "status" }, texts.look.loading));
    try {
      const { runs, searches } = await get("runs");
      this.#show(runs);
      if (searches.length) this.#place.append(searchesOf(searches));
    } catch (error) {
      this.#place.replaceChildren(h("p", { class: "note" }, explain(error)));
    }
  }

  #show(runs) {
    if (!runs.length) return this.#place.replaceChildren(h("p", { class: "note" }, texts.look.none));
    this.#chosen.clear();
    const { columns } = texts.look;
    const numeric = new Set(["validation", "test", "time"]);
    const heads = Object.entries(columns).map(([key, label]) =>
      h("th", { scope: "col", class: numeric.has(key) ? "n" : "" }, label),
    );
    const table = h(
      "table",
      { class: "runs" },
      h("thead", {}, h("tr", {}, heads)),
      h(
        "tbody",
        {},
        runs.map((run) => this.#row(run)),
      ),
    );
    const foot = h("div", { class: "row look-foot" }, this.#compare, this.#hint);
    this.#place.replaceChildren(
      h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": texts.look.runs }, table),
      foot,
    );
    this.#update();
  }

  #row(run) {
    const { look } = texts;
    const share = (value) => (value === null || value === undefined ? "–" : texts.percent(value, 2));
    const box = h("input", { type: "checkbox", "aria-label": look.compareChoose(run.name) });
    box.addEventListener("change", () => this.#choose(run.name, box));
    return h(
      "tr",
      {},
      h("td", { class: "tick" }, box),
      h("th", { scope: "row" }, run.name, run.problem && h("span", { class: "small warn" }, ` ${run.problem}`)),
      cell("test", share(run.test), "n"),
      cell("validation", share(run.validation), "n"),
      h("td", { class: "links" }, h("div", { class: "row run-links" }, linksOf(run))),
      cell("data", run.data ?? "–"),
      cell("network", run.network ?? "–"),
      cell("time", run.time_seconds ? look.duration(run.time_seconds) : "–", "n"),
    );
  }

  #choose(name, box) {
    if (box.checked) this.#chosen.add(name);
    else this.#chosen.delete(name);
    this.#update();
  }

  #update() {
    this.#compare.disabled = this.#chosen.size !== 2;
    this.#compare.classList.toggle("primary", this.#chosen.size === 2);
    this.#hint.textContent = this.#chosen.size === 2 ? "" : texts.look.compareHint(this.#chosen.size);
  }

  #goToCompare() {
    const [a, b] = [...this.#chosen].map(encodeURIComponent);
    location.hash = `#look/compare/${a}/${b}`;
  }
}

/** Label searches in data sets for which there is no run. */
function searchesOf(searches) {
  const { look } = texts;
  const links = searches.map(({ name, data }) =>
    h("li", {}, h("a", { href: `#look/labels/${encodeURIComponent(name)}/train` }, look.labelsOf(data, "train"))),
  );
  return h("section", { class: "searches" }, h("h2", {}, look.searches), h("ul", {}, links));
}

/** A cell that names its column itself where the table is shown as cards. */
function cell(column, text, kind = "") {
  return h("td", { class: kind, "data-label": texts.look.columns[column] }, text);
}

function linksOf(run) {
  const { look } = texts;
  const name = encodeURIComponent(run.name);
  const report = h(
    "a",
    { href: address(`runs/${name}/report`), target: "_blank", rel: "noopener", "aria-label": look.reportOf(run.name) },
    look.report,
  );
  const labels = run.labels.map((part) =>
    h("a", { href: `#look/labels/${name}/${part}`, "aria-label": look.labelsOf(run.name, part) }, look.labels(part)),
  );
  return run.status === "finished" || run.report ? [report, ...labels] : labels;
}
