/** What the status bar says, from what is known. Must never know the editor, nor a clock. */

import type { State } from "./connection";
import { accessOf, lookOf } from "./health";
import type { Provider, View } from "./mirror";
import type { Selection } from "./protocol";
import { count, countdown, dollars, duration, inLocalTime, secondsUntil } from "./words";

export interface StatusInput {
  state: State;
  problem: string;
  view: View;
  /** Chats of this window that run now. */
  answering: number;
  now: number;
  /** Versions of the extension and of the daemon; the latter empty where nobody answers. */
  versions: { extension: string; daemon: string };
}

export interface StatusText {
  text: string;
  /** Markdown. */
  tooltip: string;
  /** What a screen reader says. */
  label: string;
  background?: "warning" | "error";
  command: string;
}

const WITHOUT: Readonly<Record<Exclude<State, "ready">, { text: string; words: string; command: string }>> = {
  starting: { text: "$(loading~spin) Pointsman", words: "Pointsman is starting.", command: "pointsman.showLog" },
  lost: { text: "$(loading~spin) Pointsman", words: "Pointsman is reconnecting.", command: "pointsman.showLog" },
  missing: { text: "$(cloud-download) Install Pointsman", words: "", command: "pointsman.install" },
  stopped: { text: "$(circle-slash) Pointsman", words: "Pointsman is stopped.", command: "pointsman.restart" },
};

export function statusText(input: StatusInput): StatusText {
  if (input.state !== "ready") {
    return without(input, WITHOUT[input.state]);
  }
  const { selection } = input.view;
  if (!selection) {
    return without(input, WITHOUT.starting);
  }
  if (selection.model === null) {
    const words = "No model is chosen.";
    return {
      text: "$(arrow-swap) Choose a model",
      tooltip: `**Pointsman**\n\n${words} Click to choose one.${skew(input)}`,
      label: `Pointsman: ${words} Choose one.`,
      command: "pointsman.switchModel",
    };
  }
  return chosen(input, selection);
}

function without(input: StatusInput, how: { text: string; words: string; command: string }): StatusText {
  const words = [how.words, input.problem].filter(Boolean).join(" ");
  // While a connection comes back the model stays in view: it is still the one that holds.
  const model = input.state === "lost" && input.view.selection?.model ? ` ${name(input.view.selection)}` : "";
  return {
    text: model ? `$(loading~spin)${model}` : how.text,
    tooltip: `**Pointsman**\n\n${escaped(words)}`,
    label: `Pointsman: ${words}`,
    command: how.command,
    ...(input.state === "missing" ? { background: "warning" as const } : {}),
  };
}

function chosen(input: StatusInput, selection: Selection): StatusText {
  const provider = input.view.providers.find(({ id }) => id === selection.provider);
  const health = healthOf(input, selection, provider);
  const icon = input.answering ? "$(loading~spin)" : `$(${health.icon})`;
  const lock = provider?.auth.oauth && health.tone === "good" ? " $(lock)" : "";
  const left = timeLeft(provider, input.now);
  const title = [name(selection), provider?.name ?? selection.provider].filter(Boolean).join(" · ");
  const short = health.tone === "good" ? "" : ` (${health.words})`;
  const trial = provider?.temporary ? ` $(beaker) ${trialLeft(provider, input.now)}` : "";
  return {
    text: `${icon} ${title}${lock}${left ? ` $(watch) ${left}` : ""}${trial}`,
    tooltip: tooltip(input, selection, provider, health.words),
    label: `Pointsman: ${title}${short}${input.answering ? ", answering" : ""}. Switch model.`,
    command: "pointsman.switchModel",
    ...(health.tone === "warning" || health.tone === "error" ? { background: health.tone } : {}),
  };
}

function name(selection: Selection): string {
  // A provider alone stands for its default model; other short names are what somebody has chosen to read.
  const chosen = (selection.model === selection.provider ? selection.target : undefined) ?? selection.model ?? "";
  return selection.provider ? withoutPrefix(chosen, selection.provider) : chosen;
}

function withoutPrefix(model: string, provider: string): string {
  return model.startsWith(`${provider}:`) ? model.slice(provider.length + 1) : model;
}

const LACKING = { icon: "key", words: "no key" };

function healthOf(input: StatusInput, selection: Selection, provider: Provider | undefined) {
  if (selection.state === "unavailable") {
    return { icon: "error", words: "leads nowhere", tone: "error" as const };
  }
  if (selection.state === "unconfigured" && provider?.state !== "signed-out") {
    const { icon, words } = provider?.state === "unconfigured" ? lookOf(provider, input.now) : LACKING;
    return { icon, words, tone: "warning" as const };
  }
  return provider ? lookOf(provider, input.now) : { icon: "arrow-swap", words: "ready", tone: "good" as const };
}

function timeLeft(provider: Provider | undefined, now: number): string {
  const seconds = secondsUntil(provider?.resetsAt, now);
  const limited = provider?.state === "rate-limited" || provider?.remaining === 0;
  return limited && seconds !== undefined && seconds > 0 ? duration(seconds) : "";
}

function trialLeft(provider: Provider, now: number): string {
  return countdown(secondsUntil(provider.temporary?.expiresAt, now) ?? 0);
}

function tooltip(input: StatusInput, selection: Selection, provider: Provider | undefined, words: string): string {
  const lines = [`**${escaped(selection.displayName)}**`, "", escaped(inLocalTime(selection.why)), ""];
  if (provider) {
    lines.push(`${escaped(provider.name)}: ${words || provider.state}, ${accessOf(provider)}`, "");
    for (const window of provider.windows ?? []) {
      const reset = secondsUntil(window.resetsAt, input.now);
      const back = reset !== undefined && reset > 0 ? `, back in ${duration(reset)}` : "";
      lines.push(`${escaped(window.name)}: ${Math.round(window.usedPercent)} % used${back}`, "");
    }
    if (provider.remaining !== undefined) {
      lines.push(`${count(provider.remaining)} requests left`, "");
    }
    if (provider.costToday !== undefined) {
      lines.push(`Cost today: ${dollars(provider.costToday)}`, "");
    }
    if (provider.temporary) {
      lines.push(
        `A key on trial (${escaped(provider.temporary.account)}) for ${trialLeft(provider, input.now)} more`,
        "",
      );
    }
  }
  const running = input.view.chats.length;
  if (running) {
    lines.push(`[${running === 1 ? "One chat runs" : `${running} chats run`}](command:pointsman.showChats)`, "");
  }
  const links = [
    "Switch](command:pointsman.switchModel",
    "Why this one](command:pointsman.explainRoute",
    "Status](command:pointsman.status",
    "Ask](command:pointsman.ask",
  ];
  lines.push(links.map((link) => `[${link})`).join(" · "));
  return lines.join("\n") + skew(input);
}

/** A daemon of another version than the extension is told quietly: both speak the same protocol, or none would answer. */
function skew({ versions }: StatusInput): string {
  return versions.daemon && versions.daemon !== versions.extension
    ? `\n\n*The daemon is ${versions.daemon}, the extension ${versions.extension}.*`
    : "";
}

/** Text as Markdown that shows it as it is. */
export function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-!|<>~$]/g, "\\$&");
}
