// The daemon, as the page asks it. Every answer that refuses becomes an Error with the server's own words.

export class Refused extends Error {
  constructor(status, body) {
    super(body.message ?? `The server answered ${status}`);
    this.status = status;
    this.code = body.error ?? "";
  }
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options });
  } catch {
    throw new Error("The daemon cannot be reached");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    if (response.status === 401) document.dispatchEvent(new Event("signed-out"));
    throw new Refused(response.status, body);
  }
  return body;
}

export const ask = (path) => answered(path, {});

export function tell(path, body = {}, method = "POST") {
  return answered(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

const path = (account) => encodeURIComponent(account);

export const api = {
  session: () => ask("/api/session"),
  signIn: (token) => answered("/api/session", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
  }),
  signOut: () => tell("/api/session", {}, "DELETE"),
  add: (name, phone) => tell("/api/whatsapp/add-account", { name, phone }),
  newCode: (account) => tell(`/api/whatsapp/regenerate-qr/${path(account)}`),
  code: (account, turn) => `/api/whatsapp/qr/${path(account)}/code.svg?turn=${turn}`,
  backfill: (account) => tell(`/api/whatsapp/backfill/${path(account)}`),
  resync: (account, since) => tell(`/api/whatsapp/resync/${path(account)}`, { since }),
  cancel: (account, job) => tell(`/api/whatsapp/jobs/${path(account)}/${path(job)}/cancel`),
  pause: (account, length) => tell(`/api/whatsapp/pause/${path(account)}`, { for: length }),
  unpause: (account) => tell(`/api/whatsapp/unpause/${path(account)}`),
  coverage: (account, cursor) =>
    ask(`/api/whatsapp/coverage/${path(account)}?limit=20${cursor ? `&cursor=${path(cursor)}` : ""}`),
};

const AGAIN_MS = 3000;

/**
 * Listen until told to stop. `onLink` is told whether there is a connection; the browser makes a lost one again, and where
 * it gives up (the server refused) so do we, after having looked whether we are still signed in.
 */
export function listen({ onStatus, onHappened, onLink }) {
  let source = null;
  let timer = 0;
  let over = false;
  const open = () => {
    source = new EventSource("/api/events");
    source.addEventListener("open", () => onLink(true));
    source.addEventListener("status", (event) => onStatus(JSON.parse(event.data)));
    source.addEventListener("happened", (event) => onHappened(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      onLink(false);
      source.close();
      clearTimeout(timer);
      timer = setTimeout(again, AGAIN_MS);
    });
  };
  const again = async () => {
    if (over) return;
    try {
      const session = await api.session();
      if (over) return;
      if (session.role) open();
      else document.dispatchEvent(new Event("signed-out"));
    } catch {
      if (!over) timer = setTimeout(again, AGAIN_MS);
    }
  };
  open();
  return () => {
    over = true;
    clearTimeout(timer);
    source.close();
  };
}
