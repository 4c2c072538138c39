import { expect, test } from "vitest";
import { type OverviewInput, overview } from "../../src/overview";
import type { ProviderTestResult } from "../../src/protocol";
import { model, NOW, provider, selection, view } from "./views";

function drawn(more: Partial<OverviewInput> = {}) {
  return overview({
    connected: true,
    problem: "",
    view: view({
      providers: [
        provider("poe", { state: "available" }),
        provider("corp", {
          state: "active",
          windows: [
            {
              name: "5 hours",
              usedPercent: 50,
              source: "counted",
              used: 20,
              limit: 40,
              resetsAt: "2026-03-01T13:00:00Z",
            },
          ],
        }),
        provider("none", {
          state: "unconfigured",
          links: { keys: "javascript:alert(1)", docs: "https://none.example" },
        }),
      ],
      models: [model("poe:a")],
      selection: selection("poe:a"),
    }),
    status: undefined,
    tests: new Map(),
    usage: undefined,
    now: NOW,
    ...more,
  });
}

test("the provider that answers comes first, and those without a key apart", () => {
  expect(drawn().providers.map(({ id }) => id)).toEqual(["corp", "poe"]);
  expect(drawn().idle.map(({ id }) => id)).toEqual(["none"]);
});

test("a window of a plan is a bar with words", () => {
  expect(drawn().providers[0]?.quotas).toEqual([
    { name: "5 hours", percent: 50, words: "50 % used (20 of 40), back in 1 h" },
  ]);
});

test("only links of the web lead anywhere", () => {
  expect(drawn().idle[0]?.links).toEqual([{ label: "docs", url: "https://none.example" }]);
});

test("a test says what it found", () => {
  const failed = {
    ok: false,
    milliseconds: 1,
    models: 0,
    error: { code: "InvalidKey", message: "No", advice: "Try.", retryable: false },
  };
  const tests = new Map<string, ProviderTestResult>([
    ["poe", { ok: true, milliseconds: 12, models: 3 }],
    ["corp", failed],
  ]);
  expect(drawn({ tests }).providers.map(({ test }) => test)).toEqual(["No. Try.", "It works: 12 ms, 3 models."]);
});

test("an unknown price is unknown, never nothing", () => {
  const total = { name: "2026-03-01", chats: 2, inputTokens: 10, outputTokens: 5, usd: 0, unpriced: 2 };
  const { usage } = drawn({ usage: { days: [total], models: [total] } });
  expect(usage?.days[0]?.words).toBe("price unknown, 2 chats, 10 tokens in, 5 out");
  expect(usage?.note).toBe("2 chats, $0; the price of 2 of them is not known.");
});
