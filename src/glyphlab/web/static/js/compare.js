// Two runs beside each other.
import { get } from "./api.js";
import { h } from "./dom.js";
import { imageAddress } from "./files.js";
import { texts } from "./texts.js";

/** The comparison as an element. Throws `ApiError`. */
export async function compareView(a, b) {
  const { words, figures, settings, images } = await get("runs/compare", { a, b });
  const { look } = texts;
  return h(
    "article",
    { class: "stack compare" },
    h("h1", {}, look.versus(a, b)),
    words.map((sentence) => h("p", { class: "lead" }, sentence)),
    h("h2", {}, look.figures),
    table(look.figures, figures),
    h("h2", {}, look.settings),
    settings.rows.length ? table(look.settings, settings) : h("p", { class: "muted" }, look.same),
    images.map(({ title, png }) =>
      h(
        "figure",
        { class: "card" },
        h("img", { src: imageAddress(png), alt: title }),
        h("figcaption", { class: "small muted" }, title),
      ),
    ),
  );
}

/** {header, rows} of text; a row's first cell names it. name: of the whole, for those who do not see it. */
function table(name, { header, rows }) {
  const head = h(
    "tr",
    {},
    header.map((text) => h("th", { scope: "col" }, text)),
  );
  const body = rows.map(([name, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      cells.map((text) => h("td", {}, text)),
    ),
  );
  const table = h("table", {}, h("thead", {}, head), h("tbody", {}, body));
  return h("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": name }, table);
}
