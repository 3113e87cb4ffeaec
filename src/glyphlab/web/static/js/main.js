// The page's frame: header, the four views, which of them is shown.
import { h, iconButton, select, setAttribute, setOptions } from "./dom.js";
import { openKeys } from "./keys.js";
import { models } from "./models.js";
import { noticeElements, notifyError } from "./notices.js";
import { texts } from "./texts.js";

// A view is loaded when it is first shown, and then kept: a drawing is still there when one comes back.
const VIEWS = {
  draw: () => import("./draw.js"),
  read: () => import("./read.js"),
  teach: () => import("./teach.js"),
  look: () => import("./look.js"),
};
const opened = new Map();
const main = h("main", { id: "main", tabindex: "-1" });
const links = Object.keys(VIEWS).map((name) => h("a", { href: `#${name}` }, texts.tabs[name]));
const modelList = select([], undefined, (id) => models.choose(id), {
  "aria-label": texts.models.label,
  title: texts.models.label,
});
let shown = null;
let asked = 0;

function build() {
  document.body.append(
    h("a", { class: "skip", href: "#main", on: { click: skip } }, texts.skip),
    h(
      "header",
      { class: "top" },
      h("a", { class: "brand", href: "#draw" }, h("img", { src: "icons/glyphlab.svg", alt: "" }), texts.name),
      h(
        "nav",
        { "aria-label": texts.tabs.label },
        h(
          "ul",
          { class: "tabs" },
          links.map((link) => h("li", {}, link)),
        ),
      ),
      h("div", { class: "model" }, modelList, iconButton("keyboard", texts.keys.open, openKeys)),
    ),
    main,
    ...noticeElements,
  );
  models.addEventListener("change", showModels);
  addEventListener("hashchange", route);
  addEventListener("keydown", onKey);
}

/** Keys are the shown view's, unless a dialog lies over it. */
function onKey(event) {
  if (!document.querySelector("dialog[open]")) shown?.onKey?.(event);
}

/** The skip link goes to the content without becoming an address of its own. */
function skip(event) {
  event.preventDefault();
  main.focus();
}

function showModels() {
  const kinds = texts.models.kinds;
  setOptions(
    modelList,
    models.list.map((model) => [model.id, `${model.name}${kinds[model.kind] ?? ""}`]),
    models.current?.id,
  );
}

/** Show the view that the address names: #draw, #look/labels/RUN. */
async function route() {
  const number = ++asked;
  const [name, ...rest] = partsOf(location.hash);
  const known = Object.hasOwn(VIEWS, name) ? name : "draw";
  if (!opened.has(known))
    opened.set(
      known,
      VIEWS[known]().then((module) => module.create()),
    );
  let view;
  try {
    view = await opened.get(known);
  } catch (error) {
    opened.delete(known); // the next visit tries again
    return notifyError(error);
  }
  if (number !== asked) return; // one went on while it was loading
  if (shown !== view) {
    shown?.onHide?.();
    main.replaceChildren(view.element);
    shown = view;
  }
  for (const link of links)
    setAttribute(link, "aria-current", link.getAttribute("href") === `#${known}` ? "page" : null);
  document.title = texts.title(texts.tabs[known]);
  view.onShow?.(rest);
}

/** The parts of the address after its #; none where they cannot be told: "#%". */
function partsOf(hash) {
  try {
    return hash.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return [];
  }
}

build();
models.load().catch(notifyError);
route();
