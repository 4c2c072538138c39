/** A chat as the text of a document: events in, Markdown out. Must never know the editor, nor a clock. */

import { inWords } from "./failure";
import type {
  ChatEvent,
  ChatResult,
  ErrorData,
  Finished,
  Started,
  ToolCallDelta,
  UsageReport,
  Waiting,
} from "./protocol";
import { dollars, usageInWords, waitingInWords } from "./words";

export interface Transcript {
  readonly title: string;
  readonly text: string;
  readonly thoughts: string;
  readonly started?: Started;
  readonly notes: readonly string[];
  readonly calls: ReadonlyMap<number, { name: string; arguments: string }>;
  /** What is waited for since nothing comes. */
  readonly waiting?: Waiting | undefined;
  readonly usage?: UsageReport;
  readonly finished?: Finished;
  readonly result?: ChatResult;
  /** What ended it without a result. */
  readonly failure?: ErrorData;
}

export function begun(title: string): Transcript {
  return { title, text: "", thoughts: "", notes: [], calls: new Map() };
}

type Readers = { [E in ChatEvent as E["type"]]: (so: Transcript, event: E) => Transcript };

const READERS: Readers = {
  started: (so, event) => ({ ...so, started: event, waiting: undefined }),
  text: (so, { text }) => ({ ...so, text: so.text + text, waiting: undefined }),
  reasoning: (so, { text }) => ({ ...so, thoughts: so.thoughts + text, waiting: undefined }),
  toolCall: (so, event) => ({ ...so, calls: called(so.calls, event), waiting: undefined }),
  attemptFailed: (so, { model, error, next }) => ({
    ...so,
    waiting: undefined,
    notes: [...so.notes, `${model}: ${error.message}${next ? ` ${next} is tried now.` : ""}`],
  }),
  notice: (so, { text }) => ({ ...so, notes: [...so.notes, text], waiting: undefined }),
  waiting: (so, event) => ({ ...so, waiting: event }),
  usage: (so, event) => ({ ...so, usage: event }),
  finished: (so, event) => ({ ...so, finished: event, waiting: undefined }),
};

/** What a transcript is after more events. Those of a type that is not known are passed over. */
export function after(so: Transcript, events: readonly ChatEvent[]): Transcript {
  return events.reduce((now, event) => {
    const read = READERS[event.type] as ((so: Transcript, event: ChatEvent) => Transcript) | undefined;
    return read ? read(now, event) : now;
  }, so);
}

function called(calls: Transcript["calls"], event: ToolCallDelta): Transcript["calls"] {
  const before = calls.get(event.index);
  const name = event.name ?? before?.name ?? "";
  return new Map(calls).set(event.index, { name, arguments: (before?.arguments ?? "") + event.arguments });
}

export function isOver(so: Transcript): boolean {
  return Boolean(so.result ?? so.finished ?? so.failure);
}

/** Markdown for a document. */
export function rendered(so: Transcript): string {
  const blocks = [
    `# ${so.title}`,
    ...so.notes.map(quoted),
    so.thoughts.trim() && quoted(`Thinking: ${so.thoughts.trim()}`),
    so.text.trim(),
    ...[...so.calls.values()].map((call) => `\`${call.name}(${call.arguments})\``),
    ending(so),
  ];
  return `${blocks.filter(Boolean).join("\n\n")}\n`;
}

function quoted(text: string): string {
  return text
    .split("\n")
    .map((line) => `> ${line}`.trimEnd())
    .join("\n");
}

function ending(so: Transcript): string {
  const error = so.failure ?? so.result?.error ?? so.finished?.error;
  if (error) {
    const resume = so.result?.resume ?? so.finished?.resume ?? [];
    const others = resume.length ? ` Could go on: ${resume.join(", ")}.` : "";
    return `> ${inWords(error)}${others}`;
  }
  if (!isOver(so)) {
    const by = so.started ? `${so.started.provider} · ${so.started.model}` : "the model";
    return so.waiting ? `*${waitingInWords(so.waiting, by)} …*` : "*…*";
  }
  const receipt = so.result ? receiptOf(so.result) : "";
  return receipt && `---\n\n*${receipt}*`;
}

const ENDS: Readonly<Record<string, string>> = {
  cancelled: "stopped",
  length: "cut at the most tokens that it may give",
  contentFilter: "ended by the provider's filter",
  interrupted: "broken off",
};

/** Who answered, what it took, and how it ended where it did not just end. */
export function receiptOf(result: ChatResult): string {
  const { provider, model, usage, cost, timing, attempts, stopReason } = result;
  const failed = attempts.filter(({ outcome }) => outcome === "failed").length;
  return [
    ENDS[stopReason],
    provider,
    model,
    usage.inputTokens || usage.outputTokens ? usageInWords(usage) : "",
    cost && `${cost.exact ? "" : "about "}${dollars(cost.usd)}`,
    timing.firstTokenMs === null ? "" : `first word after ${(timing.firstTokenMs / 1000).toFixed(1)} s`,
    `${(timing.totalMs / 1000).toFixed(1)} s`,
    failed ? `${failed} ${failed === 1 ? "attempt" : "attempts"} failed before` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}
