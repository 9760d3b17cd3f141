// What runs, who reads the journal, and how fast messages come and land.

import { byId, draw, el, list, put, say, show, toast } from "./elements.js";
import { api } from "./server.js";
import { ago, count, kindOf, stateOf } from "./words.js";

const SHOWN = 8;
const WIDTH = 300;
const HEIGHT = 56;

export function running() {
  let names = new Map();
  let open = new Map();

  const job = () => {
    let now = null;
    const title = el("p", { class: "job-title" });
    const words = el("p", { class: "soft" });
    const bar = el("progress", { max: 1 });
    const cancel = el("button", {
      type: "button", class: "quiet", on: {
        click: async () => {
          try {
            await api.cancel(now.accountId, now.id);
            toast("Cancelled. What it did stays.");
            node.focus(); // the button goes, and would take the place in the page with it
          } catch (error) {
            toast(error.message);
          }
        },
      },
    }, "Cancel");
    const node = el("li", { class: "job", tabindex: "-1" }, el("div", {}, title, words), cancel, bar);
    const update = (one) => {
      now = one;
      const name = names.get(one.accountId) ?? "an account";
      const runs = one.state === "running" || one.state === "pending";
      say(title, `${kindOf(one)} of ${name}`);
      say(words, jobWords(one));
      put(node, "data-state", one.state);
      show(cancel, runs);
      put(cancel, "aria-label", `Cancel the ${kindOf(one).toLowerCase()} of ${name}`);
      show(bar, runs);
      const closed = one.progress.gapsClosed;
      const all = closed + (open.get(one.accountId) ?? 0);
      put(bar, "aria-label", `${closed} of ${all} gaps closed`);
      if (all && one.state === "running") {
        put(bar, "max", all);
        put(bar, "value", closed);
      } else put(bar, "value", null);
    };
    return { node, update };
  };

  const consumer = () => {
    const [name, position, lag] = [el("th", { scope: "row" }), el("td"), el("td")];
    return {
      node: el("tr", {}, name, position, lag),
      update(one) {
        say(name, one.name);
        say(position, one.position.toLocaleString());
        const seconds = one.oldestSeconds;
        say(lag, one.lag ? `${one.lag.toLocaleString()}${seconds ? `, ${seconds} s` : ""}` : "nothing");
        put(lag, "data-tone", one.lag > 1000 ? "ask" : null);
      },
    };
  };

  return {
    update({ accounts, jobs, consumers, throughput }) {
      names = new Map(accounts.map((one) => [one.accountId, one.name]));
      open = new Map(accounts.map((one) => [one.accountId, one.gaps.open + one.gaps.filling + one.gaps.deep]));
      show(byId("jobs-empty"), !jobs.length);
      list(byId("jobs"), jobs.slice(0, SHOWN), (one) => one.id, job);
      list(byId("consumers"), consumers, (one) => one.name, consumer);
      const { journaledPerMinute: inn, landedPerMinute: out } = throughput;
      say(byId("rates"), `${count(inn, "journal entry", "journal entries")} received and ${out.toLocaleString()} landed in the last minute`);
      byId("spark").replaceChildren(spark(throughput));
    },
  };
}

function jobWords(one) {
  const { progress } = one;
  const parts = [stateOf(one.state)];
  if (one.dryRun) parts.push("a dry run");
  if (progress.requests) parts.push(count(progress.requests, "request"));
  if (progress.fetched) parts.push(`${count(progress.fetched, "message")}, ${progress.stored.toLocaleString()} new`);
  if (progress.gapsClosed) parts.push(`${count(progress.gapsClosed, "gap")} closed`);
  if (one.errorMessage && one.errorCode !== one.state) parts.push(one.errorMessage);
  if (one.endedAt) parts.push(ago(one.endedAt));
  return parts.join(" · ");
}

function spark({ journaled, landed }) {
  const most = Math.max(1, ...journaled, ...landed);
  const line = (values) => values.map((value, place) => {
    const x = values.length > 1 ? (place / (values.length - 1)) * WIDTH : WIDTH;
    return `${place ? "L" : "M"}${x.toFixed(1)} ${(HEIGHT - 4 - (value / most) * (HEIGHT - 10)).toFixed(1)}`;
  }).join(" ");
  return draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `Received and landed in the last ten minutes, at most ${most} in five seconds` },
  draw("path", { d: `M0 ${HEIGHT - 4} H${WIDTH}`, class: "base" }),
  journaled.length > 1 ? draw("path", { d: line(journaled), class: "received" }) : null,
  landed.length > 1 ? draw("path", { d: line(landed), class: "landed" }) : null);
}
