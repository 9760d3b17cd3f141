// Everything the page says in words: states, reasons, times, and the first line.

const STATUSES = {
  connected: "Connected", connecting: "Connecting", reconnecting: "Connecting again", pairing: "Pairing",
  qr_ready: "Waiting for the phone to scan", needs_qr: "Needs pairing", logged_out: "Unlinked by the phone",
  disconnected: "Stopped", passive: "Another instance has it",
};
const TONES = {
  connected: "good", connecting: "busy", reconnecting: "busy", pairing: "busy", passive: "calm", qr_ready: "ask",
};
const HEARING = {
  heard: null, probing: "silent for a while, being asked whether it is alive", quiet: "quiet, and alive",
  unproven: "quiet, not proven to be alive", deaf: "deaf: it looks connected and hears nothing",
};
export const PROOFS = {
  live: "received live", offline_complete: "all that waited came", history: "one piece of history",
  overlap: "filled, both ends meet", phone_complete: "the phone has nothing older",
};
export const REASONS = {
  before: "older than what was handed over", disconnected: "we were disconnected", deaf: "the connection was deaf",
  crashed: "we crashed", mismatch: "less came than was announced", debt: "a message is owed",
  withdrawn: "a proof turned out to be wrong", reset: "an operator reset it", unproven: "two pieces that do not meet",
};
export const GAP_STATES = {
  open: "to be filled", filling: "being filled", unreachable: "the phone has nothing to give", "no-access": "the phone may not give it",
};
const KINDS = { "recent-sync": "Recent sync", backfill: "Backfill", resync: "Resync" };
const JOB_STATES = {
  pending: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled", began: "began",
};

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString()} ${number === 1 ? one : many}`;

export function statusOf(account) {
  if (account.hearing === "deaf") return { text: "Deaf", tone: "bad" };
  const tone = TONES[account.status] ?? "bad";
  return { text: STATUSES[account.status] ?? account.status, tone: account.needsAttention && tone === "busy" ? "bad" : tone };
}

export function detailOf(account) {
  if (account.status === "connected") return HEARING[account.hearing] ?? (account.caughtUp ? null : "receiving what waited");
  return account.reason;
}

export function kindOf(job) {
  return KINDS[job.kind] ?? job.kind;
}

export const stateOf = (state) => JOB_STATES[state] ?? state;

export function ago(iso) {
  if (!iso) return null;
  const seconds = Math.max(0, (Date.now() - Date.parse(iso)) / 1000);
  if (seconds < 10) return "just now";
  return `${lasting(seconds)} ago`;
}

export function lasting(seconds) {
  const units = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const [size, name] = units.find(([unit]) => seconds >= unit) ?? [1, "second"];
  return count(Math.max(1, Math.round(seconds / size)), name);
}

const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const BOTH = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const moment = (ms) => BOTH.format(ms);
export const clock = (ms) => TIME.format(ms);
export const day = (ms) => (Date.now() - ms > 300 * 86400e3 ? YEAR : DAY).format(ms);

/** Is everything all right? Two lines, and how they feel. */
export function verdict({ service, summary, accounts }) {
  const { text, tone } = firstLine(service, summary, accounts);
  return { text, tone, more: secondLine(service, summary) };
}

function firstLine(service, summary, accounts) {
  if (service.mode === "passive") return { tone: "calm", text: "On standby: another instance does the work." };
  if (!service.ready) return { tone: "bad", text: "Messages are not landing." };
  if (!summary.accounts) return { tone: "ask", text: "No phone is linked yet." };
  const troubled = accounts.filter((one) => one.needsAttention);
  if (troubled.length) {
    const who = troubled.length === 1 ? troubled[0].name : `${troubled.length} of ${summary.accounts} phones`;
    return { tone: "ask", text: `${who} ${troubled.length === 1 ? "needs" : "need"} you.` };
  }
  if (summary.connected < summary.accounts) {
    const away = summary.accounts - summary.connected;
    const rest = away === 1 ? "the other is" : "the others are";
    const text = summary.connected
      ? `${summary.connected} of ${summary.accounts} phones connected; ${rest} being connected.`
      : `${away === 1 ? "The phone is" : "The phones are"} being connected.`;
    return { tone: "busy", text };
  }
  const phones = summary.accounts === 1 ? "The phone is connected" : `All ${summary.accounts} phones are connected`;
  if (summary.openGaps) return { tone: "busy", text: `${phones}; ${count(summary.openGaps, "gap")} ${summary.openGaps === 1 ? "is" : "are"} to be filled.` };
  if (summary.givenUpGaps) return { tone: "ask", text: `${phones}; ${count(summary.givenUpGaps, "gap")} could not be filled.` };
  if (summary.parked) return { tone: "ask", text: `${phones}; ${count(summary.parked, "message")} could not be landed.` };
  return { tone: "good", text: `All is well. ${phones}, and nothing is missing.` };
}

function secondLine(service, summary) {
  if (service.mode !== "passive" && !service.ready && service.reason) return service.reason;
  if (service.reason && service.mode === "passive") return service.reason;
  const parts = [];
  if (summary.lagEntries > 0) parts.push(`${count(summary.lagEntries, "entry", "entries")} on the way to Firestore`);
  if (summary.debts) parts.push(`${count(summary.debts, "message")} owed by senders`);
  if (summary.oldestGapAt) parts.push(`the oldest gap was found ${ago(summary.oldestGapAt)}`);
  if (summary.deepGaps) parts.push(`older history of ${count(summary.deepGaps, "conversation")} was not fetched yet`);
  const text = parts.join("; ");
  return text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
}

const HAPPENED = {
  connection: (one) => (one.what === "caught_up" ? "received all that had waited" : (STATUSES[one.what] ?? one.what).toLowerCase()),
  messages: (one) => `${count(one.count, one.what === "live" ? "message" : "message of history", one.what === "live" ? "messages" : "messages of history")} landed`,
  gap: (one) => `${count(one.count, "gap")} ${one.what}`,
  parked: (one) => `${count(one.count, "message")} could not be landed`,
  job: (one) => {
    const [kind, state] = one.what.split(" ");
    const closed = state === "done" && one.count ? `, ${count(one.count, "gap")} closed` : "";
    return `${KINDS[kind] ?? kind} ${stateOf(state)}${closed}`;
  },
};

export const happening = (one) => (HAPPENED[one.kind] ?? (() => one.what))(one);
