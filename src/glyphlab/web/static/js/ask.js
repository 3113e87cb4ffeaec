// Questions before something is done: "really delete?", "what name?".
import { button, field, h } from "./dom.js";
import { texts } from "./texts.js";

let questions = 0;

/** Ask; resolves to whether it shall be done. does: the word on the button that does it. */
export async function confirmed(title, details, does) {
  return (await ask(title, h("p", {}, details), does)) !== null;
}

/** Ask for a name, `present` being the one there is; resolves to it, or to null where it stays as it is. */
export async function named(title, label, present, does) {
  const input = h("input", { type: "text", value: present, maxlength: 60, autocomplete: "off", required: true });
  const answered = ask(title, field(label, input), does);
  input.select();
  const name = (await answered) === null ? "" : input.value.trim();
  return name && name !== present ? name : null;
}

/** Resolves to the dialog's form, or to null where it was closed. */
function ask(title, content, does) {
  const id = `question-${++questions}`;
  const dialog = h("dialog", { class: "question", "aria-labelledby": id });
  const form = h(
    "form",
    { method: "dialog", class: "stack" },
    h("h2", { id }, title),
    content,
    h(
      "div",
      { class: "row answers" },
      button(texts.cancel, () => dialog.close()),
      h("button", { type: "submit", value: "yes", class: "primary" }, does),
    ),
  );
  dialog.append(form);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? form : null);
    });
  });
}
