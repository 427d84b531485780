// The question before a dangerous button: resolves to true only when it is confirmed.

import { h } from "./dom.js";
import { textObject, withEmoji } from "./text.js";

export function confirmed(confirm) {
  return new Promise((resolve) => {
    let answer = false;
    const done = (yes) => () => { answer = yes; dialog.close(); };
    const dialog = h("dialog", { class: "sheet small", "data-testid": "confirm", "aria-labelledby": "confirm-title" },
      h("h2", { id: "confirm-title" }, withEmoji(confirm.title.text)),
      h("div", { class: "mrkdwn" }, textObject(confirm.text)),
      h("footer", {},
        h("button", { type: "button", class: "button", onclick: done(false) }, withEmoji(confirm.deny.text)),
        h("button", { type: "button", class: `button ${confirm.style || "primary"}`, onclick: done(true) }, withEmoji(confirm.confirm.text))));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
