// One thread's time as a drawing: proven stretches by proof, gaps outlined and hatched, what is being filled in motion.

import { draw } from "./elements.js";
import { GAP_STATES, PROOFS, REASONS, clock, count, day, lasting, moment } from "./words.js";

const HEIGHT = 26;
const BAR = { top: 6, height: 14 };
const ORDER = ["phone_complete", "history", "overlap", "offline_complete", "live"];
const LEAST = 3;
const DAY_MS = 86400e3;

export const LEGEND = [
  ...Object.entries(PROOFS).map(([proof, text]) => [`proof ${proof}`, text]),
  ["gap open", "a gap, to be filled"], ["gap filling", "being filled"], ["gap unreachable", "could not be filled"],
  ["gap deep", "older history, not fetched"], ["track", "nothing came since"],
];

export function swatch(kind) {
  return draw("svg", { viewBox: "0 0 30 14", class: "swatch", "aria-hidden": "true" },
    draw("rect", { x: 1, y: 1, width: 28, height: 12, rx: 3, class: kind }));
}

/** Patterns are shared by all drawings of the page. */
export function patterns() {
  const line = (id, d, box) => draw("pattern", { id, width: box, height: box, patternUnits: "userSpaceOnUse" },
    draw("rect", { width: box, height: box, class: "ground" }), draw("path", { d, class: "stroke" }));
  return draw("svg", { class: "patterns", "aria-hidden": "true", width: 0, height: 0 }, draw("defs", {},
    line("hatch", "M-2 2 L2 -2 M0 8 L8 0 M6 10 L10 6", 8), line("hatch-busy", "M-2 2 L2 -2 M0 8 L8 0 M6 10 L10 6", 8), line("cross", "M0 8 L8 0 M0 0 L8 8", 8),
    line("dots", "M3 3 h1.6", 6)));
}

/** `from` and `until` are what is seen, in ms. */
export function timeline(thread, { from, until, width }) {
  const x = (ms) => Math.round(((Math.min(Math.max(ms, from), until) - from) / (until - from)) * width * 10) / 10;
  const bar = (start, end, kind, title) => {
    if (end <= from || start >= until) return null;
    const left = x(start);
    const size = Math.max(LEAST, x(end) - left);
    return draw("rect", { x: Math.min(left, width - size), y: BAR.top, width: size, height: BAR.height, rx: 3, class: kind },
      draw("title", {}, title));
  };
  const covered = [...thread.covered].sort((one, other) => ORDER.indexOf(one.proof) - ORDER.indexOf(other.proof));
  return draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, class: "timeline", role: "img",
    "aria-label": inWords(thread) },
  draw("rect", { x: 0, y: BAR.top, width, height: BAR.height, rx: 3, class: "track" }),
  ...covered.map((one) => bar(one.fromMs, one.untilMs, `proof ${one.proof}`,
    `${span(one.fromMs, one.untilMs)}: ${PROOFS[one.proof] ?? one.proof}`)),
  ...thread.gaps.map((gap) => bar(gap.fromMs, gap.untilMs, `gap ${gap.deep ? "deep" : ""} ${gap.state}`, gapInWords(gap))),
  ...thread.owed.filter((one) => one.ms >= from && one.ms <= until).map((one) =>
    draw("path", { d: `M${x(one.ms)} 1 l4 4 l-4 4 l-4 -4 z`, class: "owed" },
      draw("title", {}, `A message of ${moment(one.ms)} is owed`))));
}

const span = (from, until) => `${from > 0 ? moment(from) : "the beginning"} to ${moment(until)}`;

function gapInWords(gap) {
  const what = gap.deep ? "Older history, not fetched" : "A gap";
  const state = gap.deep && gap.state === "open" ? "" : `, ${GAP_STATES[gap.state] ?? gap.state}`;
  return `${what}: ${span(gap.fromMs, gap.untilMs)}, because ${REASONS[gap.reason] ?? gap.reason}${state}`;
}

/** What the drawing shows, for those who do not see it, and for those who want it said. */
export function inWords(thread) {
  const holes = thread.gaps.filter((gap) => !gap.deep);
  const newest = thread.covered.length ? Math.max(...thread.covered.map((one) => one.untilMs)) : 0;
  if (!holes.length) {
    const oldest = thread.covered.length ? Math.min(...thread.covered.map((one) => one.fromMs)) : 0;
    if (!newest) return "Nothing is proven yet.";
    return oldest > 0 ? `Complete since ${moment(oldest)}.` : "Complete from the first message on.";
  }
  const [gap] = holes;
  const long = lasting(Math.max(1, (gap.untilMs - gap.fromMs) / 1000));
  const more = holes.length > 1 ? `${count(holes.length, "gap")}, the newest ` : "A gap ";
  const state = GAP_STATES[gap.state] ?? gap.state;
  return `${more}of ${long} until ${moment(gap.untilMs)}: ${REASONS[gap.reason] ?? gap.reason}; ${state}.`;
}

const STEPS = [300e3, 900e3, 3600e3, 3 * 3600e3, 6 * 3600e3, 12 * 3600e3, DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 7 * DAY_MS,
  14 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 365 * DAY_MS];

/** Marks at whole hours, or days, of local time. */
export function axis({ from, until, width }) {
  const room = Math.max(2, Math.floor(width / 90));
  const step = STEPS.find((one) => (until - from) / one <= room) ?? STEPS.at(-1);
  const shift = new Date(until).getTimezoneOffset() * 60e3;
  const place = (ms) => Math.round(((ms - from) / (until - from)) * width * 10) / 10;
  const marks = [];
  for (let ms = Math.ceil((from - shift) / step) * step + shift; ms < until; ms += step) {
    const at = place(ms);
    const midnight = (ms - shift) % DAY_MS === 0;
    if (at > 24 && at < width - 56) {
      marks.push(draw("path", { d: `M${at} 14 v6`, class: "tick" }),
        draw("text", { x: at, y: 10, "text-anchor": "middle" }, step < DAY_MS && !midnight ? clock(ms) : day(ms)));
    }
  }
  marks.push(draw("path", { d: `M${width - 1} 14 v6`, class: "tick" }),
    draw("text", { x: width, y: 10, "text-anchor": "end" }, "now"));
  return draw("svg", { viewBox: `0 0 ${width} 20`, width, height: 20 }, ...marks);
}
