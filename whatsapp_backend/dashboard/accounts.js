// The accounts: state and reason in words, a mark beside each so that no colour has to be told apart, and what can be done.

import { byId, closable, el, formDialog, list, put, say, show, toast } from "./elements.js";
import { api } from "./server.js";
import { ago, count, detailOf, moment, statusOf } from "./words.js";

const MARKS = { good: "●", busy: "◐", ask: "▲", bad: "■", calm: "○" };

export function accounts({ pair, onMap, isAdmin }) {
  const addDialog = byId("add-dialog");
  const resyncDialog = byId("resync-dialog");
  const pauseDialog = byId("pause-dialog");
  [addDialog, resyncDialog, pauseDialog].forEach(closable);
  let askPair = null;
  const add = formDialog(addDialog, async ({ name, phone }) => {
    const { account } = await api.add(name, phone);
    askPair = { id: account.id, name: account.name };
  });
  addDialog.addEventListener("close", () => {
    if (askPair) pair.open(askPair.id, askPair.name);
    askPair = null;
  });
  const resync = formDialog(resyncDialog, async ({ since }, account) => {
    await api.resync(account.accountId, since);
    toast(`A resync of ${account.name} began`);
  });
  const pause = formDialog(pauseDialog, async ({ for: length }, account) => {
    await api.pause(account.accountId, length);
    toast(`${account.name} is paused`);
  });
  byId("add").addEventListener("click", () => add(null));

  const attempt = async (act, said) => {
    try {
      await act();
      toast(said);
    } catch (error) {
      toast(error.message);
    }
  };

  const card = (first) => {
    let now = first;
    const title = el("h3");
    const phone = el("p", { class: "phone" });
    const mark = el("span", { class: "mark", "aria-hidden": "true" });
    const state = el("span", { class: "state-text" });
    const badge = el("p", { class: "state" }, mark, state);
    const detail = el("p", { class: "detail" });
    const facts = el("ul", { class: "facts" });
    const button = (text, act, kind = "quiet") =>
      el("button", { type: "button", class: kind, on: { click: () => act(now) } }, text);
    const doPair = button("Pair", (one) => pair.open(one.accountId, one.name), "primary");
    const doMap = button("Gap map", (one) => onMap(one.accountId));
    const doBackfill = button("Backfill", (one) =>
      attempt(() => api.backfill(one.accountId), `A backfill of ${one.name} began`));
    const doResync = button("Resync…", resync);
    const doPause = button("Pause…", (one) =>
      (one.pausedUntil ? attempt(() => api.unpause(one.accountId), `${one.name} goes on`) : pause(one)));
    const buttons = el("div", { class: "buttons" }, doPair, doMap, doBackfill, doResync, doPause);
    const node = el("li", { class: "account panel" },
      el("div", { class: "who" }, title, phone), badge, detail, facts, buttons);
    const update = (account) => {
      now = account;
      const { text, tone } = statusOf(account);
      put(node, "data-tone", tone);
      say(title, account.name);
      say(phone, account.phone);
      say(mark, MARKS[tone]);
      say(state, text);
      say(detail, detailOf(account));
      show(detail, Boolean(detail.textContent));
      list(facts, factsOf(account), ([name]) => name, fact);
      show(doPair, account.needsQR || account.status === "connecting");
      show(doBackfill, account.status === "connected");
      show(doResync, account.status === "connected");
      show(doPause, isAdmin() && (account.status === "connected" || Boolean(account.pausedUntil)));
      say(doPause, account.pausedUntil ? "Go on" : "Pause…");
      for (const one of buttons.children) put(one, "aria-label", `${one.textContent.replace("…", "")} ${account.name}`);
    };
    return { node, update };
  };

  return {
    update(all) {
      list(byId("accounts"), all, (one) => one.accountId, card);
    },
  };
}

function fact([name]) {
  const value = el("span", { class: "value" });
  const node = el("li", {}, value);
  return {
    node,
    update([, text, tone]) {
      say(value, text);
      put(node, "data-tone", tone ?? null);
      put(node, "data-fact", name);
    },
  };
}

function factsOf(account) {
  const { gaps } = account;
  const open = gaps.open + gaps.filling;
  const lost = gaps.unreachable + gaps.noAccess;
  const facts = [
    open ? ["gaps", `${count(open, "gap")} to fill${gaps.filling ? `, ${gaps.filling.toLocaleString()} of them begun` : ""}`, "busy"]
      : ["gaps", account.status === "connected" ? "no gap" : null],
    ["given-up", lost ? `${count(lost, "gap")} could not be filled` : null, "ask"],
    ["debts", account.debts ? `${count(account.debts, "message")} owed` : null],
    ["last", account.lastMessageAt ? `last message ${ago(account.lastMessageAt)}` : null],
    ["reconnects", account.reconnectCount ? `connected again ${count(account.reconnectCount, "time")}` : null],
    ["backfill", account.lastBackfillAt ? `backfill ${account.lastBackfillStatus === "error" ? "did not finish" : "ended"} ${ago(account.lastBackfillAt)}` : null],
    ["paused", account.pausedUntil ? `paused until ${moment(Date.parse(account.pausedUntil))}` : null, "calm"],
    ["rests", account.phoneRestsUntil ? `the phone did not answer: it is asked again ${moment(Date.parse(account.phoneRestsUntil))}` : null, "ask"],
    ["retry", account.nextRetryAt && account.status !== "connected" ? `next attempt ${moment(Date.parse(account.nextRetryAt))}` : null],
  ];
  return facts.filter(([, text]) => text);
}
