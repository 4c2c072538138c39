/** Things as the daemon tells them, for tests. */

import type { Provider, View } from "../../src/mirror";
import type { Model, Selection } from "../../src/protocol";

export const NOW = Date.parse("2026-03-01T12:00:00Z");

export function provider(id: string, more: Partial<Provider> = {}): Provider {
  return {
    id,
    name: id[0]?.toUpperCase() + id.slice(1),
    kind: "direct-api",
    wire: "openai-chat",
    baseUrl: `https://${id}.example/v1`,
    auth: { scheme: "bearer", state: "ready", oauth: false, keys: 1 },
    state: "available",
    models: [],
    links: {},
    ...more,
  };
}

export function model(name: string, more: Partial<Model> = {}): Model {
  const [owner = "", id = ""] = name.split(":");
  return { model: name, provider: owner, id, name: id, capabilities: [], source: "config", ...more };
}

export function selection(chosen: string | null, more: Partial<Selection> = {}): Selection {
  const owner = chosen?.split(":")[0];
  return {
    model: chosen,
    scope: chosen ? "global" : "none",
    revision: 1,
    state: chosen ? "available" : "unset",
    why: "Decided by the global choice.",
    displayName: chosen ?? "no model chosen",
    ...(owner ? { provider: owner, target: chosen ?? undefined } : {}),
    ...more,
  };
}

export function view(more: Partial<View> = {}): View {
  return { selection: undefined, providers: [], models: [], shortcuts: [], sessions: [], chats: [], ...more };
}
