import { expect, test } from "vitest";
import type { ChatEvent, ChatResult } from "../../src/protocol";
import { after, begun, isOver, receiptOf, rendered } from "../../src/transcript";

const EVENTS: ChatEvent[] = [
  { type: "attemptFailed", model: "a:one", error: error("RateLimited", "A says: slow down."), next: "b:two" },
  { type: "started", model: "b:two", provider: "b" },
  { type: "waiting", seconds: 4 },
  { type: "reasoning", text: "Six times " },
  { type: "reasoning", text: "seven." },
  { type: "text", text: "It is " },
  { type: "text", text: "42." },
  { type: "toolCall", index: 0, id: "c", name: "look", arguments: '{"at":' },
  { type: "toolCall", index: 0, arguments: '"sky"}' },
];

test("shows what was tried, what was thought, what is said and which tools are asked for", () => {
  expect(rendered(after(begun("What is it?"), EVENTS))).toBe(
    [
      "# What is it?",
      "> a:one: A says: slow down. b:two is tried now.",
      "> Thinking: Six times seven.",
      "It is 42.",
      '`look({"at":"sky"})`',
      "*…*",
      "",
    ]
      .join("\n\n")
      .replace(/\n\n$/, "\n"),
  );
});

test("is the same however the events are cut", () => {
  const whole = after(begun("x"), EVENTS);
  const pieces = EVENTS.reduce((so, event) => after(so, [event]), begun("x"));
  expect(pieces).toEqual(whole);
});

test("says for how long the model is silent, until it speaks", () => {
  const silent = after(begun("x"), EVENTS.slice(0, 3));
  expect(rendered(silent)).toContain("Waiting for b · b:two, 4 s …");
  expect(rendered(after(silent, EVENTS.slice(3)))).not.toContain("Waiting");
});

test("passes over events that it does not know", () => {
  const unknown = { type: "song", text: "la" } as unknown as ChatEvent;
  expect(after(begun("x"), [unknown])).toEqual(begun("x"));
});

test("an answer that breaks off keeps what came, and says who could go on", () => {
  const finished: ChatEvent = {
    type: "finished",
    reason: "interrupted",
    error: error("Interrupted", "B hung up."),
    resume: ["c:three"],
  };
  const so = after(begun("x"), [...EVENTS, finished]);
  expect(isOver(so)).toBe(true);
  expect(rendered(so)).toContain("It is 42.");
  expect(rendered(so)).toContain("> **B hung up.** Do something. Could go on: c:three.".replaceAll("**", ""));
});

test("a receipt names who answered, what it took, and how it ended", () => {
  const result: ChatResult = {
    chatId: "1",
    stopReason: "cancelled",
    message: { role: "assistant", content: "It" },
    model: "two",
    provider: "b",
    usage: { inputTokens: 1200, outputTokens: 3, exact: false },
    cost: { usd: 0.00123, exact: true, source: "b" },
    attempts: [{ model: "a:one", provider: "a", outcome: "failed" }],
    timing: { firstTokenMs: 400, totalMs: 2100 },
  };
  expect(receiptOf(result)).toBe(
    "stopped · b · two · about 1,200 tokens in, 3 out · $0.0012 · first word after 0.4 s · 2.1 s · 1 attempt failed before",
  );
  expect(receiptOf({ ...result, cost: undefined })).not.toContain("$");
});

function error(code: string, message: string) {
  return { code, message, advice: "Do something.", retryable: true };
}
