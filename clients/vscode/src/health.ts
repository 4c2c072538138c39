/** How a provider is, in words and signs. What the states look like is this table. Must never know the editor. */

import type { Provider } from "./mirror";
import { duration, secondsUntil } from "./words";

export interface Look {
  /** The name of a codicon. */
  icon: string;
  words: string;
  tone: "good" | "warning" | "error" | "idle";
  /** Where it stands in a list. */
  rank: number;
}

const LOOKS: Readonly<Record<string, Look>> = {
  active: { icon: "pass-filled", words: "answers now", tone: "good", rank: 0 },
  available: { icon: "pass", words: "ready", tone: "good", rank: 2 },
  "rate-limited": { icon: "watch", words: "rate limited", tone: "warning", rank: 1 },
  error: { icon: "error", words: "fails", tone: "error", rank: 1 },
  offline: { icon: "debug-disconnect", words: "not running", tone: "warning", rank: 3 },
  unconfigured: { icon: "key", words: "no key", tone: "idle", rank: 4 },
  "signed-out": { icon: "account", words: "sign in again", tone: "warning", rank: 1 },
};

const UNKNOWN: Look = { icon: "question", words: "", tone: "idle", rank: 2 };

const NOT_SIGNED_IN = { icon: "account", words: "not signed in" };

/** The state of a provider; where it comes back at a time, with the time that is left. */
export function lookOf(provider: Provider, now: number): Look {
  const known = LOOKS[provider.state] ?? { ...UNKNOWN, words: provider.state };
  const byAccount = signsIn(provider) || provider.auth.scheme === "program";
  const look = provider.state === "unconfigured" && byAccount ? { ...known, ...NOT_SIGNED_IN } : known;
  const left = secondsUntil(provider.resetsAt, now);
  const limited = provider.state === "rate-limited" || provider.remaining === 0;
  return limited && left !== undefined && left > 0 ? { ...look, words: `${look.words}, ${duration(left)} left` } : look;
}

/** Whether a chat could go to it now, or would after a wait. */
export function isUsable(provider: Provider): boolean {
  return provider.state !== "unconfigured" && provider.state !== "signed-out";
}

/** Whether it makes sense to offer its models to others now: those of a server that does not run come back with it. */
export function isReachable(provider: Provider): boolean {
  return isUsable(provider) && provider.state !== "offline";
}

/** Both in one line, nothing twice. */
export function stateInWords(provider: Provider, now: number): string {
  const { words } = lookOf(provider, now);
  return isUsable(provider) ? `${words} · ${accessOf(provider)}` : words;
}

/** How it is asked: 🔐 for an account that has signed in, as in every list of Pointsman. */
export function accessOf(provider: Provider): string {
  if (provider.temporary) {
    return `a key on trial, ${provider.temporary.account}`;
  }
  if (provider.auth.oauth) {
    return "🔐 account";
  }
  if (provider.auth.scheme === "none") {
    return "needs no key";
  }
  if (provider.auth.scheme === "passthrough") {
    return "each chat brings its key";
  }
  if (provider.auth.scheme === "optional-key" && provider.auth.keys === 0) {
    return "works without a key";
  }
  return provider.auth.keys === 1 ? "1 key" : provider.auth.keys ? `${provider.auth.keys} keys` : "no key";
}

export function takesKey(provider: Provider): boolean {
  return !["none", "passthrough", "oauth", "program"].includes(provider.auth.scheme) && !provider.auth.oauth;
}

export function signsIn(provider: Provider): boolean {
  return provider.auth.oauth || provider.auth.scheme === "oauth";
}
