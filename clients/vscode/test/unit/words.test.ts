import { expect, test } from "vitest";
import {
  countdown,
  dollars,
  duration,
  headline,
  inLocalTime,
  priceInWords,
  secondsUntil,
  size,
  waitingInWords,
} from "../../src/words";

const price = (input: number, output: number) => ({
  inputUsdPerMillion: input,
  outputUsdPerMillion: output,
  source: "test",
});

test.each([
  [0, "$0"],
  [0.0000012, "$0.0000012"],
  [0.00123, "$0.0012"],
  [0.5, "$0.50"],
  [12.345, "$12.35"],
  [1234.5, "$1,235"],
])("%d dollars are %s", (usd, said) => expect(dollars(usd)).toBe(said));

test.each([
  [undefined, "price unknown"],
  [price(0, 0), "free"],
  [price(3, 15), "$3 in, $15 out per million"],
  [price(0.075, 2.5), "$0.075 in, $2.5 out per million"],
])("a price in words", (given, said) => expect(priceInWords(given)).toBe(said));

test.each([
  [512, "512"],
  [8192, "8K"],
  [200_000, "200K"],
  [1_000_000, "1M"],
  [1_050_000, "1.1M"],
])("%d tokens are %s", (tokens, said) => expect(size(tokens)).toBe(said));

test.each([
  [-3, "0 s"],
  [45, "45 s"],
  [90, "2 min"],
  [3600, "1 h"],
  [11_100, "3 h 5 min"],
  [172_800, "2 days"],
])("%d seconds are %s", (seconds, said) => expect(duration(seconds)).toBe(said));

test.each([
  [0, "0:00"],
  [244.2, "4:05"],
  [3725, "1:02:05"],
])("%d seconds count down as %s", (seconds, said) => expect(countdown(seconds)).toBe(said));

test("a time that says nothing is none", () => {
  expect(secondsUntil("2026-01-01T00:00:30Z", Date.parse("2026-01-01T00:00:00Z"))).toBe(30);
  expect(secondsUntil("soon", 0)).toBeUndefined();
  expect(secondsUntil(undefined, 0)).toBeUndefined();
});

test("a headline is one line", () => expect(headline("What\n  is   it?", 8)).toBe("What is…"));

test("times in the daemon's sentences are read where this runs", () => {
  expect(inLocalTime("made by vscode at 2026-11-21T06:58:31.901Z; it hides another.")).toMatch(
    /^made by vscode at \d+ Nov 2026, \d\d:\d\d; it hides another\.$/,
  );
  expect(inLocalTime("no time")).toBe("no time");
});

test.each([
  [{ seconds: 4 }, "Waiting for the model, 4 s"],
  [{ seconds: 4, left: 12 }, "Asks again in 12 s"],
  [{ seconds: 4, place: 3, queue: "Acme" }, "Number 3 in the queue of Acme, for 4 s"],
  [{ seconds: 0, place: 1 }, "Number 1 in the queue"],
])("%j", (event, said) => expect(waitingInWords({ type: "waiting", ...event })).toBe(said));
