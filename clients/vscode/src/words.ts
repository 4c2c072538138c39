/** Numbers and times as people read them. Must never know a clock. */

import type { Price, Usage, Waiting } from "./protocol";

/** US dollars, with as many digits as tell something: $0.0012, $1.25, $1,204. */
export function dollars(usd: number): string {
  if (usd === 0) {
    return "$0";
  }
  if (usd < 0.01) {
    return `$${usd.toPrecision(2).replace(/e-.*/, "").length > 12 ? usd.toExponential(1) : trimmed(usd.toPrecision(2))}`;
  }
  return `$${usd < 1000 ? usd.toFixed(2) : Math.round(usd).toLocaleString("en-US")}`;
}

/** A price a million tokens: $3 in, $15 out. */
export function priceInWords(price: Price | undefined): string {
  if (!price) {
    return "price unknown";
  }
  if (price.inputUsdPerMillion === 0 && price.outputUsdPerMillion === 0) {
    return "free";
  }
  return `${perMillion(price.inputUsdPerMillion)} in, ${perMillion(price.outputUsdPerMillion)} out per million`;
}

function perMillion(usd: number): string {
  return `$${trimmed(usd < 1 ? usd.toPrecision(3) : usd.toFixed(2))}`;
}

function trimmed(number: string): string {
  return number.includes(".") ? number.replace(/\.?0+$/, "") : number;
}

/** 200K, 1M: windows of context. */
export function size(tokens: number): string {
  if (tokens >= 1_000_000) {
    return `${trimmed((tokens / 1_000_000).toFixed(1))}M`;
  }
  return tokens >= 1000 ? `${Math.round(tokens / 1000)}K` : String(tokens);
}

/** 1,234 tokens in, 56 out; an estimate says so. */
export function usageInWords(usage: Usage): string {
  const about = usage.exact ? "" : "about ";
  return `${about}${count(usage.inputTokens)} tokens in, ${count(usage.outputTokens)} out`;
}

export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** 45 s, 12 min, 3 h 5 min, 2 days: how long it takes still. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) {
    return `${whole} s`;
  }
  const minutes = Math.round(whole / 60);
  if (minutes < 60) {
    return `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 48) {
    return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  }
  return `${Math.round(hours / 24)} days`;
}

/** What a chat waits for: its turn, the time at which somebody may be asked again, or the model. */
export function waitingInWords({ seconds, place, queue, left }: Waiting, model = "the model"): string {
  if (place !== undefined) {
    return `Number ${place} in the queue${queue ? ` of ${queue}` : ""}${seconds >= 1 ? `, for ${duration(seconds)}` : ""}`;
  }
  return left !== undefined ? `Asks again in ${duration(left)}` : `Waiting for ${model}, ${duration(seconds)}`;
}

/** 4:05: a countdown. */
export function countdown(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number: number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Seconds from `now`, in milliseconds since 1970, until a time of the daemon; undefined where that says nothing. */
export function secondsUntil(time: string | undefined, now: number): number | undefined {
  const at = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(at) ? undefined : (at - now) / 1000;
}

/** The daemon's sentences with their times as they are read where this runs. */
export function inLocalTime(text: string): string {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) =>
    new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }),
  );
}

/** The first words of a text, on one line. */
export function headline(text: string, most = 60): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1).trimEnd()}…` : line;
}
