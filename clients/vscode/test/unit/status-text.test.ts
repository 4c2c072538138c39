import { expect, test } from "vitest";
import type { Provider } from "../../src/mirror";
import type { Selection } from "../../src/protocol";
import { type StatusInput, statusText } from "../../src/status-text";
import { NOW, provider, selection, view } from "./views";

function said(more: Partial<StatusInput>) {
  return statusText({
    state: "ready",
    problem: "",
    view: view(),
    answering: 0,
    now: NOW,
    versions: { extension: "1.0.0", daemon: "1.0.0" },
    ...more,
  });
}

function chosen(of: Partial<Provider> = {}, by: Partial<Selection> = {}, more: Partial<StatusInput> = {}) {
  return said({ view: view({ providers: [provider("poe", of)], selection: selection("poe:cheap", by) }), ...more });
}

test("invites to choose where nothing is chosen", () => {
  expect(said({ view: view({ selection: selection(null) }) }).text).toBe("$(arrow-swap) Choose a model");
});

test("shows model and provider", () => {
  expect(chosen().text).toBe("$(pass) cheap · Poe");
  expect(chosen().background).toBeUndefined();
});

test("spins while a chat of this window runs", () => {
  expect(chosen({}, {}, { answering: 1 }).text).toBe("$(loading~spin) cheap · Poe");
});

test.each([
  [
    "an account",
    { auth: { scheme: "oauth", state: "ready", oauth: true, keys: 1 } },
    "$(pass) cheap · Poe $(lock)",
    undefined,
  ],
  ["no server", { state: "offline" }, "$(debug-disconnect) cheap · Poe", "warning"],
  [
    "a limit",
    { state: "rate-limited", resetsAt: "2026-03-01T12:05:00Z" },
    "$(watch) cheap · Poe $(watch) 5 min",
    "warning",
  ],
  ["failures", { state: "error" }, "$(error) cheap · Poe", "error"],
  ["an account that has ended", { state: "signed-out" }, "$(account) cheap · Poe", "warning"],
  ["a state of a newer daemon", { state: "asleep" }, "$(question) cheap · Poe", undefined],
] as [string, Partial<Provider>, string, string | undefined][])("shows %s", (_what, of, text, background) => {
  expect(chosen(of)).toMatchObject({ text, ...(background ? { background } : {}) });
});

test("says that a key is missing, and that a choice leads nowhere", () => {
  expect(chosen({ state: "unconfigured" }, { state: "unconfigured" }).text).toBe("$(key) cheap · Poe");
  const auth = { scheme: "oauth" as const, state: "missing" as const, oauth: false, keys: 0 };
  expect(chosen({ state: "unconfigured", auth }, { state: "unconfigured" })).toMatchObject({
    text: "$(account) cheap · Poe",
    label: "Pointsman: cheap · Poe (not signed in). Switch model.",
    background: "warning",
  });
  expect(chosen({}, { state: "unavailable" })).toMatchObject({ text: "$(error) cheap · Poe", background: "error" });
});

test("a provider that was chosen alone shows its default model", () => {
  expect(chosen({}, { model: "poe", target: "poe:cheap" }).text).toBe("$(pass) cheap · Poe");
});

test("keeps the model in view while the connection comes back", () => {
  const input = { view: view({ selection: selection("poe:cheap") }), state: "lost" as const };
  expect(said(input).text).toBe("$(loading~spin) cheap");
});

test("offers to install what is missing, and says why", () => {
  const missing = said({ state: "missing", problem: "It is not on PATH." });
  expect(missing).toMatchObject({ command: "pointsman.install", background: "warning" });
  expect(missing.label).toContain("It is not on PATH.");
});

test("tells another version of the daemon in the tooltip alone", () => {
  const older = chosen({}, {}, { versions: { extension: "1.0.0", daemon: "0.9.0" } });
  expect(older.text).toBe(chosen().text);
  expect(older.tooltip).toContain("The daemon is 0.9.0, the extension 1.0.0.");
});

test("names of others are text in the tooltip, never a link", () => {
  const evil = chosen({ name: "[x](command:evil)" }, { displayName: "[x](command:evil)", why: "<b>" });
  expect(evil.tooltip).not.toContain("[x](command:evil)");
  expect(evil.tooltip).not.toContain("<b>");
});

test("counts down a key on trial", () => {
  const temporary = {
    id: "1",
    provider: "poe",
    account: "sk-a…",
    expiresAt: "2026-03-01T12:04:05Z",
    secondsLeft: 245,
    inEffect: true,
    createdBy: "vscode",
  };
  expect(chosen({ temporary }).text).toBe("$(pass) cheap · Poe $(beaker) 4:05");
});
