// The keys, shown; and whether single letters count as commands, which speech control may want to switch off.
import { checkbox, h, iconButton } from "./dom.js";
import { recall, remember } from "./store.js";
import { texts } from "./texts.js";

let areSingleKeysOn = recall("single-keys", true);

/** Whether an event is the single key of a command: no modifier, and not switched off (WCAG 2.1.4). */
export function isCommand(event) {
  return areSingleKeysOn && !event.ctrlKey && !event.metaKey && !event.altKey;
}

export function openKeys() {
  const dialog = h("dialog", { "aria-labelledby": "keys-title", on: { close: () => dialog.remove() } });
  const close = iconButton("close", texts.close, () => dialog.close());
  const groups = texts.keys.groups.flatMap(({ title, keys }) => [
    h("h3", {}, title),
    h(
      "dl",
      { class: "keys" },
      keys.flatMap(([names, does]) => [
        h(
          "dt",
          {},
          names.map((name) => h("kbd", {}, name)),
        ),
        h("dd", {}, does),
      ]),
    ),
  ]);
  const singleKeys = checkbox(texts.keys.single, areSingleKeysOn, (isOn) => {
    areSingleKeysOn = isOn;
    remember("single-keys", isOn);
  });
  dialog.append(
    h("div", { class: "dialog-head" }, h("h2", { id: "keys-title" }, texts.keys.title), close),
    ...groups,
    singleKeys,
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}
