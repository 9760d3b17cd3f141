// Signing in and out. The token goes to the daemon once and is kept nowhere: what stays is a cookie no script can read.

import { byId, say, show } from "./elements.js";
import { api } from "./server.js";

export function session({ onSignedIn, onSignedOut }) {
  const form = byId("sign-in-form");
  const problem = byId("sign-in-problem");
  const field = byId("token");

  const away = () => {
    onSignedOut();
    show(byId("main"), false);
    show(byId("sign-out"), false);
    show(byId("sign-in"), true);
    field.focus();
  };
  const enter = ({ role, open }) => {
    show(byId("sign-in"), false);
    show(byId("main"), true);
    show(byId("sign-out"), !open);
    onSignedIn(role);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say(problem, "");
    try {
      const { role } = await api.signIn(field.value.trim());
      form.reset();
      enter({ role, open: false });
      byId("main").focus();
    } catch (error) {
      say(problem, error.status === 401 || error.status === 403 ? "This token is not known here." : error.message);
      field.select();
    }
  });
  byId("sign-out").addEventListener("click", async () => {
    await api.signOut().catch(() => null);
    away();
  });
  document.addEventListener("signed-out", () => {
    if (!byId("main").hidden) {
      say(problem, "You are signed out.");
      away();
    }
  });

  const begin = async () => {
    try {
      const now = await api.session();
      if (now.role) enter(now);
      else away();
    } catch {
      say(byId("link"), "The daemon cannot be reached. Trying again…");
      show(byId("link"), true);
      setTimeout(begin, 3000);
    }
  };
  return begin();
}
