// Puts the page together: a session, then news, then everything that shows them.

import { accounts } from "./accounts.js";
import { byId, el, list, put, say, show } from "./elements.js";
import { gaps } from "./gaps.js";
import { happened } from "./happened.js";
import { pairing } from "./pairing.js";
import { running } from "./running.js";
import { listen } from "./server.js";
import { session } from "./session.js";
import { count, lasting, verdict } from "./words.js";

let role = null;
let stop = () => null;
let latest = null;

const pair = pairing();
const map = gaps();
const runs = running();
const news = happened();
const cards = accounts({ pair, onMap: (id) => map.choose(id), isAdmin: () => role === "admin" });

function number([name]) {
  const [term, value] = [el("dt"), el("dd")];
  return {
    node: el("div", { "data-number": name }, term, value),
    update([, words, text, tone]) {
      say(term, words);
      say(value, text);
      put(value, "data-tone", tone ?? null);
    },
  };
}

function paint(status) {
  latest = status;
  const { service, summary } = status;
  const { text, tone, more } = verdict(status);
  say(byId("headline"), text);
  say(byId("subline"), more);
  put(document.body, "data-tone", tone);
  const each = (value) => value.toLocaleString();
  list(byId("numbers"), [
    ["phones", "Phones connected", `${summary.connected} of ${summary.accounts}`],
    ["gaps", "Gaps to fill", each(summary.openGaps), summary.openGaps ? "busy" : null],
    ["given-up", "Given up", each(summary.givenUpGaps), summary.givenUpGaps ? "ask" : null],
    ["owed", "Owed messages", each(summary.debts)],
    ["lag", "On the way", each(summary.lagEntries)],
    ["parked", "Parked", each(summary.parked), summary.parked ? "ask" : null],
  ], ([name]) => name, number);
  say(byId("about"), `Version ${service.version} · instance ${service.instanceId} · running for ${lasting(service.uptimeSeconds)}`);
  document.title = `${tone === "good" ? "" : "! "}WhatsApp backend: ${count(summary.openGaps, "gap")}`;
  pair.update(status.accounts);
  cards.update(status.accounts);
  map.update(status.accounts);
  runs.update(status);
  news.update(status.accounts);
}

function link(up) {
  const node = byId("link");
  show(node, true);
  say(node, up ? "Live" : "Not connected");
  put(node, "data-tone", up ? "good" : "bad");
  say(byId("lost"), up ? "" : "The daemon cannot be reached. What you see is as it was then; trying again…");
  show(byId("lost"), !up);
  put(document.body, "data-link", up ? "up" : "down");
}

setInterval(() => latest && !document.hidden && paint(latest), 15e3); // "3 minutes ago" goes on

session({
  onSignedIn(as) {
    role = as;
    stop = listen({ onStatus: paint, onHappened: (one) => news.add(one), onLink: link });
  },
  onSignedOut() {
    stop();
    stop = () => null;
    role = null;
    latest = null;
    show(byId("link"), false);
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    news.clear();
    map.stop();
    cards.update([]);
    list(byId("jobs"), [], (one) => one.id, () => null);
  },
});
