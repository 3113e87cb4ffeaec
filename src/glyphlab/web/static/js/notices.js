// Short messages: shown for a moment at the lower edge, and read out.
import { button, h } from "./dom.js";
import { texts } from "./texts.js";

const toasts = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
const announcer = h("p", { class: "unseen", role: "status", "aria-live": "polite", id: "announcer" });
let announcement = 0;

export const noticeElements = [toasts, announcer];

/** Show a message; `action`: [label, function] offers a way back. While it is pointed at or has the focus, it stays. */
export function notify(message, { action, seconds = action ? 20 : 4 } = {}) {
  const toast = h("div", { class: "toast" }, h("span", {}, message));
  const close = () => toast.remove();
  if (action) {
    const [label, act] = action;
    toast.append(
      button(label, () => {
        close();
        act();
      }),
    );
  }
  toasts.append(toast);
  while (toasts.childElementCount > 3) toasts.firstElementChild.remove();
  const closeUnlessInUse = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(closeUnlessInUse, 1000 * seconds);
    else close();
  };
  setTimeout(closeUnlessInUse, 1000 * seconds);
}

export function notifyError(error) {
  notify(explain(error), { seconds: 8 });
}

/** An error in plain words. */
export function explain(error) {
  if (error.code === "unreachable") return texts.errors.unreachable;
  return error.message || texts.errors.unknown(error.code ?? error.name);
}

/** Read a text out, once it has stayed the same for a moment: answers change many times while one draws. */
export function announce(message, delayMilliseconds = 500) {
  clearTimeout(announcement);
  announcement = setTimeout(() => {
    if (announcer.textContent !== message) announcer.textContent = message;
  }, delayMilliseconds);
}
