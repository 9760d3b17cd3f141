// The gap map of one account: which threads, how far back, and when to look again.

import { byId, el, list, put, say, show, toast } from "./elements.js";
import { api } from "./server.js";
import { LEGEND, axis, inWords, patterns, swatch, timeline } from "./timeline.js";
import { ago } from "./words.js";

const DAY_MS = 86400e3;
const LEAST_MS = 60 * 60e3;
const LATER_MS = 1500;
const ANYWAY_MS = 20e3;

export function gaps() {
  const choice = byId("map-account");
  const rows = byId("threads");
  let account = null;
  let threads = [];
  let cursor = null;
  let pages = 1;
  let essence = "";
  let timer = 0;
  let busy = false;
  document.body.append(patterns());
  byId("legend").append(...LEGEND.map(([kind, text]) => el("li", {}, swatch(kind), text)));

  const zoom = () => document.querySelector("input[name=zoom]:checked").value;
  const seen = (width) => {
    const until = Date.now();
    const back = { day: DAY_MS, week: 7 * DAY_MS }[zoom()];
    if (back) return { from: until - back, until, width };
    const known = threads.flatMap((one) => [
      ...one.covered.flatMap((part) => [part.fromMs, part.untilMs]), ...one.gaps.flatMap((gap) => [gap.fromMs, gap.untilMs]),
    ]).filter((ms) => ms > 0);
    const oldest = Math.min(until - LEAST_MS, ...known);
    return { from: oldest - (until - oldest) * 0.04, until, width };
  };

  const row = () => {
    const name = el("p", { class: "name" });
    const words = el("p", { class: "words" });
    const drawing = el("div", { class: "drawing" });
    let last = "";
    const node = el("li", { class: "thread" }, el("div", { class: "about" }, name, words), drawing);
    return {
      node,
      update({ thread, view }) {
        say(name, thread.name);
        say(words, inWords(thread));
        put(node, "data-gaps", thread.gaps.filter((gap) => !gap.deep).length);
        put(node, "title", thread.newestAt ? `Last message ${ago(thread.newestAt)}` : null);
        const now = JSON.stringify([thread, view.width, Math.round(view.until / 10e3), view.from && zoom()]);
        if (now !== last) drawing.replaceChildren(timeline(thread, view));
        last = now;
      },
    };
  };

  const paint = () => {
    const width = Math.max(160, Math.floor(byId("axis").clientWidth) || 600);
    const view = seen(width);
    show(byId("map-empty"), Boolean(account) && !threads.length);
    byId("axis").replaceChildren(...(threads.length ? [axis(view)] : []));
    list(rows, threads.map((thread) => ({ thread, view })), ({ thread }) => thread.threadId, row);
    show(byId("more"), Boolean(cursor));
  };

  const load = async () => {
    clearTimeout(timer);
    if (!account || busy) return;
    busy = true;
    const mine = account;
    try {
      const found = [];
      let next = null;
      for (let page = 0; page < pages; page += 1) {
        const answer = await api.coverage(mine, next);
        found.push(...answer.threads);
        next = answer.nextCursor;
        if (!next) break;
      }
      if (mine === account) {
        threads = found;
        cursor = next;
        paint();
      }
    } catch (error) {
      if (error.status && error.status !== 401) toast(`The gap map: ${error.message}`);
    } finally {
      busy = false;
      clearTimeout(timer);
      timer = setTimeout(load, mine === account ? ANYWAY_MS : 0);
    }
  };

  const choose = (id) => {
    account = id;
    choice.value = id;
    threads = [];
    pages = 1;
    load();
  };
  choice.addEventListener("change", () => choose(choice.value));
  for (const one of document.querySelectorAll("input[name=zoom]")) one.addEventListener("change", paint);
  byId("more").addEventListener("click", () => {
    pages += 1;
    load();
  });
  new ResizeObserver(paint).observe(byId("axis"));

  return {
    choose(id) {
      choose(id);
      byId("map").scrollIntoView({ block: "start" });
      choice.focus({ preventScroll: true });
    },
    stop() {
      clearTimeout(timer);
      account = null;
      threads = [];
      essence = "";
      paint();
    },
    /** The status changed: what the map shows may have. */
    update(all) {
      list(choice, all, (one) => one.accountId, () => {
        const node = el("option");
        return { node, update: (one) => { put(node, "value", one.accountId); say(node, one.name); } };
      });
      if (all.length && !all.some((one) => one.accountId === account)) choose(all[0].accountId);
      const mine = all.find((one) => one.accountId === account);
      if (!mine) return;
      choice.value = account;
      const now = JSON.stringify([mine.gaps, mine.debts, mine.status, mine.caughtUp, mine.lastMessageAt, mine.lastHistorySyncAt]);
      if (now === essence) return;
      essence = now;
      clearTimeout(timer);
      timer = setTimeout(load, threads.length ? LATER_MS : 0);
    },
  };
}
