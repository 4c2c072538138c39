/**
 * Methods that a newer daemon has and `protocol.ts` does not know yet, in the same form.
 *
 * Goes as soon as the generated file has them: the compiler complains where the two differ.
 */

import type { ErrorData, Nothing, Scope, Step } from "./protocol";

export interface KeyTrial {
  ok: boolean;
  milliseconds: number;
  steps?: Step[];
  error?: ErrorData;
}

export interface KeyInfo {
  provider: string;
  source: "variable" | "file" | "command" | "configuration" | "stored" | "account" | "chat";
  stored: boolean;
  usable: boolean;
  name?: string;
  account?: string;
  origin?: string;
  addedAt?: string;
  note?: string;
  trial?: KeyTrial;
}

export interface AccountInfo {
  id: string;
  provider: string;
  account: string;
  state: "ready" | "signInNeeded" | "wrongOrigin" | "unknownProvider";
  addedAt: string;
  lastRefreshAt: string;
  expiresAt?: string;
  reason?: string;
}

export interface SessionInfo {
  id: string;
  provider: string;
  account: string;
  expiresAt: string;
  secondsLeft: number;
  inEffect: boolean;
  createdBy: string;
  scope?: Scope;
  windowId?: string;
  workspace?: string;
  baseUrl?: string;
}

export interface SessionsChanged {
  sessions: SessionInfo[];
  ended?: { id: string; provider: string; account: string; reason: string; message: string };
}

export interface SignInCode {
  provider: string;
  url: string;
  userCode?: string;
  complete?: string;
  expiresAt?: string;
}

/** How much of one window of a plan is used, in percent. */
export interface Window {
  name: string;
  usedPercent: number;
  source: "counted" | "provider";
  used?: number;
  limit?: number;
  resetsAt?: string;
  account?: string;
}

/** Sums over chats. `usd` is what is known; `unpriced` is how many chats it leaves out. */
export interface Total {
  name: string;
  chats: number;
  inputTokens: number;
  outputTokens: number;
  usd: number;
  unpriced?: number;
  cancelled?: number;
}

/** Of a provider, what is told only by a newer daemon. */
export interface NewerProviderInfo {
  remaining?: number;
  resetsAt?: string;
  since?: string;
  lastUsedAt?: string;
  costToday?: number;
  windows?: Window[];
  temporary?: SessionInfo;
}

export interface ComingMethods {
  "pointsman/setKey": {
    params: { provider: string; key: string; label?: string; test?: boolean };
    result: { key: KeyInfo; trial?: KeyTrial; variables?: string[] };
  };
  "pointsman/removeKey": { params: { provider: string; label?: string }; result: { key: KeyInfo } };
  "pointsman/listKeys": {
    params: { provider?: string; test?: boolean };
    result: { keys: KeyInfo[]; error?: ErrorData };
  };
  "pointsman/signIn": {
    params: { provider: string; flow?: "browser" | "device"; label?: string; account?: string };
    result: AccountInfo;
  };
  "pointsman/signOut": {
    params: { provider: string; account?: string };
    result: { provider: string; account: string; revoked: boolean; error?: ErrorData };
  };
  "pointsman/listAccounts": { params: { provider?: string }; result: { accounts: AccountInfo[] } };
  "pointsman/createSession": {
    params: { provider: string; credentials: string; minutes?: number; baseUrl?: string };
    result: { token: string; id: string; provider: string; account: string; expiresAt: string };
  };
  "pointsman/activateSession": {
    params: { token: string; scope?: Scope; baseUrl?: string };
    result: SessionInfo;
  };
  "pointsman/clearSession": {
    params: { token?: string; id?: string; provider?: string; scope?: Scope };
    result: { id: string; provider: string; account: string };
  };
  "pointsman/listSessions": { params: Nothing; result: { sessions: SessionInfo[] } };
  "pointsman/usage": { params: { since?: string; by?: string }; result: { totals?: Total[]; rows?: Total[] } };
}

export interface ComingNotifications {
  "pointsman/sessionsChanged": SessionsChanged;
  "pointsman/signInCode": SignInCode;
}
