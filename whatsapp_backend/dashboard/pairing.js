// The code to scan. It is a secret: asked for only while it is shown, and forgotten with the dialog.

import { byId, closable, el, say } from "./elements.js";
import { api } from "./server.js";

const EVERY_MS = 2000;
const SAYINGS = {
  qr_ready: "Scan this code. It is replaced by itself when it expires.",
  connecting: "Asking WhatsApp for a code…", pairing: "The phone has scanned the code. Finishing…",
  connected: "Paired. You can close this.", needs_qr: "Nobody scanned the code in time. Ask for a new one.",
  logged_out: "The phone has unlinked this device. Ask for a new code.", passive: "Another instance has this account.",
};

export function pairing() {
  const dialog = byId("pair-dialog");
  const frame = byId("code");
  const state = byId("pair-state");
  let account = null;
  let status = "";
  let turn = 0;
  let timer = 0;
  closable(dialog);

  const next = () => {
    clearTimeout(timer);
    if (!dialog.open || !account) return;
    turn += 1;
    const mine = account;
    const picture = el("img", { src: api.code(account, turn), alt: "QR code to link this phone" });
    const done = (shown) => {
      if (mine !== account) return;
      frame.replaceChildren(...(shown ? [picture] : []));
      timer = setTimeout(next, EVERY_MS);
    };
    picture.addEventListener("load", () => done(true));
    picture.addEventListener("error", () => done(false));
  };
  byId("new-code").addEventListener("click", async () => {
    try {
      await api.newCode(account);
      next();
    } catch (error) {
      say(state, error.message);
    }
  });
  dialog.addEventListener("close", () => {
    account = null;
    clearTimeout(timer);
    frame.replaceChildren();
  });

  const tellState = () => {
    say(state, SAYINGS[status] ?? "");
    byId("new-code").hidden = !["needs_qr", "logged_out", "disconnected"].includes(status);
    if (status === "connected" || status === "pairing") frame.replaceChildren();
  };
  return {
    open(id, name) {
      account = id;
      status = "connecting";
      say(byId("pair-title"), `Pair ${name}`);
      frame.replaceChildren();
      tellState();
      dialog.showModal();
      next();
    },
    update(accounts) {
      const now = accounts.find((one) => one.accountId === account);
      if (!now || now.status === status) return;
      status = now.status;
      tellState();
    },
  };
}
