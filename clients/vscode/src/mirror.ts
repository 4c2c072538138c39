/** What the daemon last told this window, for everything that shows it. Must never decide anything. */

import * as vscode from "vscode";
import type { Connection } from "./connection";
import type { ChatSummary, ErrorData, Model, ProviderInfo, Selection, SessionInfo } from "./protocol";

/** A provider; a newer daemon knows more states than `protocol.ts`. */
export type Provider = ProviderInfo;

/** A short name or a chain, and where it leads. */
export interface Shortcut {
  name: string;
  model: string;
  leads: string;
}

export interface View {
  readonly selection: Selection | undefined;
  readonly providers: readonly Provider[];
  readonly models: readonly Model[];
  readonly shortcuts: readonly Shortcut[];
  readonly sessions: readonly SessionInfo[];
  /** Those that run, of all editors. */
  readonly chats: readonly ChatSummary[];
}

type Part = keyof View;

const EMPTY: View = { selection: undefined, providers: [], models: [], shortcuts: [], sessions: [], chats: [] };

export class Mirror implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Part>();
  private readonly subscriptions: vscode.Disposable[] = [this.changed];
  private loading: Promise<unknown> | undefined;

  /** Says which part has changed. */
  readonly onDidChange = this.changed.event;
  view: View = EMPTY;

  constructor(
    private readonly connection: Connection,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.subscriptions.push(
      connection.onDidChangeState((state) => {
        if (state === "ready") {
          void this.load();
        } else {
          this.set("chats", []);
        }
      }),
      connection.on("pointsman/selectionChanged", ({ effective }) => {
        this.set("selection", effective);
        void this.loadProviders(); // which of them is the active one
        void this.loadShortcuts();
      }),
      connection.on("pointsman/providersChanged", () => void this.load()),
      connection.on("pointsman/sessionsChanged", ({ sessions }) => {
        this.set("sessions", sessions);
        void this.loadProviders();
      }),
      connection.on("pointsman/chatsChanged", ({ chat }) => {
        const others = this.view.chats.filter(({ chatId }) => chatId !== chat.chatId);
        this.set("chats", chat.state === "running" ? [chat, ...others] : others);
      }),
    );
  }

  /** The models, once they are known. */
  async loaded(): Promise<View> {
    if (this.view.models.length === 0 && (await this.connection.ready())) {
      await (this.loading ?? this.load());
    }
    return this.view;
  }

  /** Asks for everything anew; the selection first. */
  async load(): Promise<void> {
    const all = this.loadAll();
    this.loading = all;
    await all;
  }

  async loadProviders(): Promise<void> {
    await this.fetch("providers", async () => {
      const { providers } = await this.connection.request("pointsman/listProviders", {});
      return providers as readonly Provider[];
    });
    if (this.view.models.length === 0) {
      this.set("models", namedBy(this.view.providers));
    }
  }

  async loadModels(refresh = false): Promise<void> {
    await this.fetch("models", async () => {
      const { models, failures } = await this.connection.request("pointsman/listModels", { refresh });
      for (const failure of failures) {
        this.log.info(`models: ${failure.message}`);
      }
      return models;
    });
  }

  async loadShortcuts(): Promise<void> {
    await this.fetch("shortcuts", async () => {
      const { values } = await this.connection.request("pointsman/getConfig", {});
      return shortcutsIn(values);
    });
  }

  provider(id: string | undefined): Provider | undefined {
    return this.view.providers.find((provider) => provider.id === id);
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private async loadAll(): Promise<void> {
    await this.fetch("selection", () => this.connection.request("pointsman/currentModel", {}));
    await Promise.all([
      this.loadProviders(),
      this.loadModels(),
      this.loadShortcuts(),
      this.fetch("chats", async () => {
        const { chats } = await this.connection.request("pointsman/listChats", {});
        return chats.filter(({ state }) => state === "running");
      }),
      this.fetch("sessions", async () => (await this.connection.request("pointsman/listSessions", {})).sessions),
    ]);
  }

  private async fetch<P extends Part>(part: P, ask: () => Promise<View[P]>): Promise<void> {
    try {
      this.set(part, await ask());
    } catch (error) {
      const { code } = (error as { data: ErrorData }).data;
      this.log[code === "MethodNotFound" ? "debug" : "info"](`${part}: ${error}`);
    }
  }

  private set<P extends Part>(part: P, value: View[P]): void {
    this.view = { ...this.view, [part]: value };
    this.changed.fire(part);
  }
}

/** Models as their providers' definitions name them: what there is to choose while live lists are asked for. */
function namedBy(providers: readonly Provider[]): Model[] {
  return providers.flatMap(({ id: provider, models }) =>
    models.map((name) => ({
      model: `${provider}:${name}`,
      ...{ provider, id: name, name, capabilities: [], source: "config" },
    })),
  );
}

/** Aliases and chains of the configuration: names that lead to models. */
export function shortcutsIn(values: Record<string, unknown>): Shortcut[] {
  const aliases = Object.entries((values.aliases ?? {}) as Record<string, unknown>);
  const chains = Object.entries((values.chains ?? {}) as Record<string, unknown>);
  return [
    ...aliases.map(([name, model]) => ({ name, model: name, leads: String(model) })),
    ...chains.map(([name, chain]) => ({ name: `chain:${name}`, model: `chain:${name}`, leads: targetsOf(chain) })),
  ];
}

function targetsOf(chain: unknown): string {
  const targets = Array.isArray(chain) ? chain : (chain as { targets?: unknown } | null)?.targets;
  return Array.isArray(targets) ? targets.map(String).join(" → ") : "";
}
