/** What went wrong, in the daemon's words: a message, and advice on what to do next. Must never know the editor. */

import type { ErrorData } from "./protocol";

export class Failure extends Error {
  override name = "Failure";

  constructor(readonly data: ErrorData) {
    super(inWords(data));
  }

  get code(): string {
    return this.data.code;
  }
}

/** What happened, and what to do next. A provider's own words may lack their full stop. */
export function inWords({ message, advice }: ErrorData): string {
  return advice ? `${/[.!?…]$/.test(message) ? message : `${message}.`} ${advice}` : message;
}

/** No daemon answers. The one failure that is this side's own. */
export function disconnected(why = "Pointsman's daemon does not answer."): Failure {
  return new Failure({ code: DISCONNECTED, message: why, advice: "It is tried again by itself.", retryable: true });
}

export const DISCONNECTED = "Disconnected";

/** JSON-RPC's own codes for a connection that is gone, or a request that a closing one gave up. */
const GONE = new Set([-32097, -32099, -32096]);

/** Any error as a Failure: what the daemon said stays as it is. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) {
    return error;
  }
  const { data, code, message } = (error ?? {}) as { data?: unknown; code?: unknown; message?: unknown };
  if (isErrorData(data)) {
    return new Failure(data);
  }
  const text = typeof message === "string" ? message : String(error);
  if (typeof code === "number" && GONE.has(code)) {
    return disconnected();
  }
  if (
    /connection (got|is) (disposed|closed)|client is not running|EPIPE|stream.*destroyed|write after end/i.test(text)
  ) {
    return disconnected();
  }
  return new Failure({ code: "InternalError", message: text, advice: "", retryable: false });
}

function isErrorData(value: unknown): value is ErrorData {
  const data = value as Partial<ErrorData> | null | undefined;
  return typeof data === "object" && typeof data?.code === "string" && typeof data.message === "string";
}

/** What a button beside an error does about it, by its code. */
export const REMEDIES: Readonly<Record<string, { title: string; command: string }>> = {
  MissingKey: { title: "Add Key", command: "pointsman.addKey" },
  InvalidKey: { title: "Add Key", command: "pointsman.addKey" },
  SignInNeeded: { title: "Sign In", command: "pointsman.signIn" },
  NoModelChosen: { title: "Choose a Model", command: "pointsman.switchModel" },
  UnknownModel: { title: "Choose a Model", command: "pointsman.switchModel" },
  ModelNotFound: { title: "Choose a Model", command: "pointsman.switchModel" },
  NoTargetLeft: { title: "Explain Route", command: "pointsman.explainRoute" },
  QuotaExhausted: { title: "Choose a Model", command: "pointsman.switchModel" },
  RateLimited: { title: "Choose a Model", command: "pointsman.switchModel" },
  ConfigError: { title: "Open Configuration", command: "pointsman.openConfiguration" },
  Disconnected: { title: "Show Log", command: "pointsman.showLog" },
};
