// The platform clock: shown running, moved on by buttons.

import { get, post } from "./api.js";
import { byId, toast } from "./dom.js";

let base = null;

export function setClock({ time, speed }) {
  base = { time, speed, at: Date.now() };
  tick();
}

function tick() {
  if (!base || document.hidden) return;
  const now = new Date((base.time + ((Date.now() - base.at) / 1000) * base.speed) * 1000);
  const shown = byId("clock");
  shown.textContent = `${now.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  shown.setAttribute("datetime", now.toISOString());
}

export async function startClock() {
  setClock(await get("/sandbox/state"));
  setInterval(tick, 1000);
  for (const button of document.querySelectorAll("[data-advance]")) {
    button.addEventListener("click", () =>
      post("/sandbox/clock", { advance_s: Number(button.dataset.advance) }).then(setClock, (error) => toast(error.message)));
  }
}
