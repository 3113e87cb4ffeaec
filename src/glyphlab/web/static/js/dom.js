// Building the page without a framework: elements from plain values, never from text that could be markup.

/**
 * An element. `props`: attributes by name; `on`: listeners by event; `style`: custom properties, set through the CSSOM
 * because the content security policy permits no style attributes. false, null and undefined leave an attribute out.
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  apply(node, props);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for pictures over pictures. */
export function s(tag, props = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  apply(node, props);
  node.append(...children);
  return node;
}

function apply(node, { on = {}, style = {}, ...attributes }) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
}

export function setAttribute(node, name, value) {
  if (value === false || value === null || value === undefined) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}

export function icon(name) {
  return h("span", { class: `icon icon-${name}`, "aria-hidden": "true" });
}

/** A button with a picture and a name that is read out and shown as a tip; `keys` as in aria-keyshortcuts. */
export function iconButton(name, label, onClick, { keys, ...props } = {}) {
  const tip = keys ? `${label} (${keys.split(" ")[0].replace("Control", "Ctrl")})` : label;
  return h(
    "button",
    {
      type: "button",
      class: "bare",
      "aria-label": label,
      title: tip,
      "aria-keyshortcuts": keys,
      on: { click: onClick },
      ...props,
    },
    icon(name),
  );
}

export function button(label, onClick, { iconName, ...props } = {}) {
  return h("button", { type: "button", on: { click: onClick }, ...props }, iconName ? icon(iconName) : null, label);
}

let fields = 0;

/** A labelled control; a click on the label goes to it. */
export function field(label, control, props = {}) {
  control.id ||= `field-${++fields}`;
  return h("div", { class: "field", ...props }, h("label", { for: control.id }, label), control);
}

export function checkbox(label, isChecked, onChange) {
  const box = h("input", { type: "checkbox", checked: isChecked, on: { change: () => onChange(box.checked) } });
  return h("label", { class: "choice" }, box, label);
}

/** A drop-down list; options: [[value, label], ...]. */
export function select(options, chosen, onChange, props = {}) {
  const list = h("select", { ...props, on: { change: () => onChange(list.value) } });
  setOptions(list, options, chosen);
  return list;
}

export function setOptions(list, options, chosen) {
  list.replaceChildren(...options.map(([value, label]) => h("option", { value }, label)));
  if (chosen !== undefined) list.value = chosen;
}

/** Whether keys typed now are text, so that they are no commands. */
export function isTyping(event) {
  return (
    event.target.closest?.("input:not([type=checkbox], [type=range]), textarea, select, [contenteditable]") !== null
  );
}

/** How the page may scroll by itself: at once for whoever wants no motion. */
export function scrolling() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
}

/** A control that lets one choose files; `capture` opens the camera of a telephone. */
export function filePicker(onFiles, { multiple = false, capture } = {}) {
  const input = h("input", {
    type: "file",
    accept: "image/*",
    multiple,
    capture,
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = ""; // so that the same file may be chosen again
    if (files.length) onFiles(files);
  });
  return input;
}
