// What happened lately, newest first. No message, no number: what, where, how many.

import { byId, el, list, say, show } from "./elements.js";
import { ago, happening } from "./words.js";

const SHOWN = 40;

export function happened() {
  let all = [];
  let names = new Map();

  const item = () => {
    const [when, who, what] = [el("time"), el("strong"), el("span")];
    return {
      node: el("li", {}, el("p", {}, who, " ", what), when),
      update(one) {
        say(who, names.get(one.accountId) ?? "An account");
        say(what, happening(one));
        say(when, ago(one.at));
        when.dateTime = one.at;
      },
    };
  };
  const paint = () => {
    show(byId("happened-empty"), !all.length);
    list(byId("happened"), all, (one) => one.id, item);
  };
  return {
    add(one) {
      all = [one, ...all.filter((other) => other.id !== one.id)].slice(0, SHOWN);
      paint();
    },
    clear() {
      all = [];
      paint();
    },
    update(accounts) {
      names = new Map(accounts.map((one) => [one.accountId, one.name]));
      paint();
    },
  };
}
