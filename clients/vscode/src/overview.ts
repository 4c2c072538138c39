/** Everything that the status page shows, ready to be drawn. Must never know the editor, nor a clock. */

import { inWords } from "./failure";
import { isUsable, type Look, lookOf, signsIn, stateInWords, takesKey } from "./health";
import type { Provider, View } from "./mirror";
import type { ProviderTestResult, StatusResult, Total } from "./protocol";
import { count, dollars, duration, inLocalTime, priceInWords, secondsUntil } from "./words";

export interface Overview {
  connected: boolean;
  problem: string;
  model: string;
  why: string;
  daemon: string;
  providers: Card[];
  idle: Card[];
  chats: { id: string; title: string; about: string }[];
  sessions: { id: string; title: string; about: string; endsAt: number }[];
  usage: UsageView | undefined;
}

export interface Card {
  id: string;
  name: string;
  look: Look;
  state: string;
  facts: string[];
  quotas: Quota[];
  trial: string;
  test: string;
  testing: boolean;
  can: { addKey: boolean; signIn: boolean; signOut: boolean };
  links: { label: string; url: string }[];
}

export interface Quota {
  name: string;
  percent: number;
  words: string;
}

export interface UsageView {
  days: Bar[];
  models: Bar[];
  note: string;
}

export interface Bar {
  name: string;
  usd: number;
  words: string;
}

export interface OverviewInput {
  connected: boolean;
  problem: string;
  view: View;
  status: StatusResult | undefined;
  tests: ReadonlyMap<string, ProviderTestResult | "running">;
  usage: { days: readonly Total[]; models: readonly Total[] } | undefined;
  now: number;
}

export function overview(input: OverviewInput): Overview {
  const { view, now } = input;
  const cards = view.providers.map((provider) => card(provider, input));
  const usable = new Set(view.providers.filter(isUsable).map(({ id }) => id));
  return {
    connected: input.connected,
    problem: input.problem,
    model: view.selection?.displayName ?? "no model chosen",
    why: inLocalTime(view.selection?.why ?? ""),
    daemon: daemonInWords(input.status),
    providers: cards.filter(({ id }) => usable.has(id)).sort(byRank),
    idle: cards.filter(({ id }) => !usable.has(id)).sort((one, other) => one.name.localeCompare(other.name)),
    chats: view.chats.map((chat) => ({
      id: chat.chatId,
      title: chat.title || "Chat",
      about: `${chat.client} · ${chat.model} · for ${duration(-(secondsUntil(chat.startedAt, now) ?? 0))}`,
    })),
    sessions: view.sessions.map((session) => ({
      id: session.id,
      title: `${view.providers.find(({ id }) => id === session.provider)?.name ?? session.provider} with ${session.account}`,
      about: session.inEffect ? "in effect here" : session.scope ? `for a ${session.scope}` : "not in effect",
      endsAt: Date.parse(session.expiresAt),
    })),
    usage: input.usage && usageView(input.usage),
  };
}

/** The one that answers, then those that need attention, then those that are ready, then servers that do not run. */
function byRank(one: Card, other: Card): number {
  const rank = ({ look }: Card) => look.rank;
  return rank(one) - rank(other) || one.name.localeCompare(other.name);
}

function card(provider: Provider, { view, tests, now }: OverviewInput): Card {
  const models = view.models.filter((model) => model.provider === provider.id);
  const tested = tests.get(provider.id);
  const own = models.find(({ name, id }) => name === provider.defaultModel || id === provider.defaultModel);
  return {
    id: provider.id,
    name: provider.name,
    look: lookOf(provider, now),
    state: stateInWords(provider, now),
    facts: [
      provider.defaultModel
        ? `default ${provider.defaultModel}${own?.price ? `, ${priceInWords(own.price)}` : ""}`
        : "",
      models.length ? `${count(models.length)} ${models.length === 1 ? "model" : "models"}` : "",
      provider.costToday === undefined ? "" : `${dollars(provider.costToday)} today`,
      provider.remaining === undefined ? "" : `${count(provider.remaining)} requests left`,
      provider.lastUsedAt ? `last used ${duration(-(secondsUntil(provider.lastUsedAt, now) ?? 0))} ago` : "",
    ].filter(Boolean),
    quotas: (provider.windows ?? []).map((window) => {
      const reset = secondsUntil(window.resetsAt, now);
      const numbers = window.limit === undefined ? "" : ` (${count(window.used ?? 0)} of ${count(window.limit)})`;
      const back = reset !== undefined && reset > 0 ? `, back in ${duration(reset)}` : "";
      const percent = Math.min(100, Math.max(0, window.usedPercent));
      return { name: window.name, percent, words: `${Math.round(window.usedPercent)} % used${numbers}${back}` };
    }),
    trial: provider.temporary ? `A key on trial: ${provider.temporary.account}` : "",
    test: tested && tested !== "running" ? testInWords(tested) : "",
    testing: tested === "running",
    can: { addKey: takesKey(provider), signIn: signsIn(provider), signOut: provider.auth.oauth && isUsable(provider) },
    links: Object.entries(provider.links)
      .filter((entry): entry is [string, string] => /^https:\/\//.test(entry[1] ?? ""))
      .map(([label, url]) => ({ label, url })),
  };
}

/** What a test of a connection found. */
export function testInWords(result: ProviderTestResult): string {
  if (result.error) {
    return inWords(result.error);
  }
  const models = result.models ? `, ${count(result.models)} models` : "";
  return `It works: ${result.milliseconds} ms${models}.`;
}

function usageView({ days, models }: { days: readonly Total[]; models: readonly Total[] }): UsageView {
  const unpriced = days.reduce((sum, day) => sum + (day.unpriced ?? 0), 0);
  const known = days.reduce((sum, day) => sum + day.usd, 0);
  const chats = days.reduce((sum, day) => sum + day.chats, 0);
  const rest = unpriced ? `; the price of ${count(unpriced)} of them is not known` : "";
  return {
    days: days.map(bar),
    models: [...models].sort((one, other) => other.usd - one.usd).map(bar),
    note: `${chatsInWords(chats)}, ${dollars(known)}${rest}.`,
  };
}

function bar(total: Total): Bar {
  const tokens = `${count(total.inputTokens)} tokens in, ${count(total.outputTokens)} out`;
  const price = total.unpriced === total.chats ? "price unknown" : dollars(total.usd);
  return { name: total.name, usd: total.usd, words: `${price}, ${chatsInWords(total.chats)}, ${tokens}` };
}

function chatsInWords(chats: number): string {
  return `${count(chats)} ${chats === 1 ? "chat" : "chats"}`;
}

function daemonInWords(status: StatusResult | undefined): string {
  if (!status) {
    return "";
  }
  const clients = status.clients.length;
  const problems = status.problems
    ? ` · ${status.problems} ${status.problems === 1 ? "mistake" : "mistakes"} in the configuration`
    : "";
  return `Pointsman ${status.version}, up ${duration(status.uptimeSeconds)} · ${clients} ${clients === 1 ? "client" : "clients"} · ${Math.round(status.memory / 1e6)} MB${problems}`;
}
