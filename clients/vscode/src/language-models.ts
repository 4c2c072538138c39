/** Pointsman's models as VS Code's own: the current one first, then every model, alias and chain that can be used. */

import * as vscode from "vscode";
import type { Chats } from "./chats";
import { callsIn, Kept, messagesOf, optionsOf, tokensIn, toolsOf } from "./conversation";
import { Failure, failureOf } from "./failure";
import { isReachable } from "./health";
import type { Mirror, Provider, Shortcut, View } from "./mirror";
import { capabilitiesOf, factsOf } from "./picker-items";
import type { ChatEvent, ChatParams, Model } from "./protocol";

/** Follows the status bar. */
const CURRENT = "current";
const CONTEXT = 128_000;
const OUTPUT = 16_000;
/** Seconds that a chat runs on when its connection is lost: VS Code's chat does not come back for it. */
const DETACH = 10;
/** Milliseconds without a change until VS Code is told of it: it reads all models anew then, and draws nothing. */
const QUIET = 500;
/** Milliseconds after which it is told all the same. */
const LATEST = 3000;

type Progress = vscode.Progress<vscode.LanguageModelResponsePart>;
type Information = vscode.LanguageModelChatInformation;

export class LanguageModels implements vscode.LanguageModelChatProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly kept = new Kept();
  private readonly listening: vscode.Disposable;
  private told = "";
  private telling: NodeJS.Timeout | undefined;
  /** The time of the first change that was not told. */
  private since: number | undefined;

  readonly onDidChangeLanguageModelChatInformation = this.changed.event;

  constructor(
    private readonly chats: Chats,
    private readonly mirror: Mirror,
  ) {
    this.listening = mirror.onDidChange((part) => {
      if (part !== "chats" && part !== "sessions") {
        this.since ??= Date.now();
        clearTimeout(this.telling);
        this.telling = setTimeout(() => this.tell(), Math.min(QUIET, this.since + LATEST - Date.now()));
      }
    });
  }

  async provideLanguageModelChatInformation(): Promise<Information[]> {
    return informationOf(await this.mirror.loaded());
  }

  async provideLanguageModelChatResponse(
    model: Information,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: Progress,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const tools = toolsOf(options.tools);
    const required = options.toolMode === vscode.LanguageModelChatToolMode.Required;
    const params: ChatParams = {
      ...(model.id === CURRENT ? {} : { model: model.id }),
      messages: messagesOf(messages, this.kept),
      ...(tools.length ? { tools, toolChoice: required ? "required" : "auto" } : {}),
      options: optionsOf(options.modelOptions),
      detach: DETACH,
    };
    try {
      const result = await this.chats.ask(params, (events) => report(events, progress), token);
      for (const { id, name, arguments: input } of callsIn(result)) {
        progress.report(new vscode.LanguageModelToolCallPart(id, name, input));
      }
      this.kept.keep(result);
      if (result.stopReason === "cancelled" && !token.isCancellationRequested) {
        throw stopped();
      }
      if (result.stopReason === "interrupted") {
        throw interrupted(result.error && new Failure(result.error));
      }
      if (result.stopReason === "contentFilter") {
        throw refused();
      }
    } catch (error) {
      throw meaningOf(error, askerOf(options));
    }
  }

  async provideTokenCount(_model: Information, text: string | vscode.LanguageModelChatRequestMessage): Promise<number> {
    return tokensIn(text);
  }

  dispose(): void {
    clearTimeout(this.telling);
    this.listening.dispose();
    this.changed.dispose();
  }

  private tell(): void {
    this.since = undefined;
    const now = JSON.stringify(informationOf(this.mirror.view));
    if (now !== this.told) {
      this.told = now;
      this.changed.fire();
    }
  }
}

function report(events: readonly ChatEvent[], progress: Progress): void {
  const text = events.map((event) => (event.type === "text" ? event.text : "")).join("");
  if (text) {
    progress.report(new vscode.LanguageModelTextPart(text));
  }
}

function stopped(): Failure {
  return new Failure({ code: "Cancelled", message: "Somebody else ended this chat.", advice: "", retryable: true });
}

function refused(): Failure {
  const message = "The provider's filter ended this answer.";
  return new Failure({ code: "ContentRefused", message, advice: "", retryable: false });
}

function interrupted(why: Failure | undefined): Failure {
  return why ?? new Failure({ code: "Interrupted", message: "The answer broke off.", advice: "", retryable: true });
}

const DENIED = vscode.LanguageModelError.NoPermissions;
const BLOCKED = vscode.LanguageModelError.Blocked;
const ABSENT = vscode.LanguageModelError.NotFound;

/** The few kinds of errors that VS Code tells apart, by the daemon's codes. */
const MEANINGS: Readonly<Record<string, (message: string) => vscode.LanguageModelError>> = {
  MissingKey: DENIED,
  InvalidKey: DENIED,
  SignInNeeded: DENIED,
  SignInFailed: DENIED,
  RateLimited: BLOCKED,
  QuotaExhausted: BLOCKED,
  ContentRefused: BLOCKED,
  UnknownModel: ABSENT,
  UnknownProvider: ABSENT,
  UnknownChain: ABSENT,
  ModelNotFound: ABSENT,
  NoModelChosen: ABSENT,
};

/** VS Code's own chat. It shows people the stack of a LanguageModelError, which VS Code makes anew on its way. */
const OWN_CHAT = "github.copilot-chat";

/**
 * A LanguageModelError where its kinds have one for it, else an error with the daemon's code; words for people alone.
 *
 * For VS Code's own chat it has the code, but not the class; so, too, where a VS Code does not say who asks.
 */
function meaningOf(error: unknown, asker: string): Error {
  const { code, message } = failureOf(error);
  const make = MEANINGS[code];
  if (make && asker && asker !== OWN_CHAT) {
    return make(message);
  }
  return Object.assign(new Error(message), { name: "Pointsman", code: make?.name ?? code, stack: "" });
}

/** The id of the extension that asks; VS Code says it before it is in the public API. */
function askerOf(options: vscode.ProvideLanguageModelChatResponseOptions): string {
  const { requestInitiator } = options as { requestInitiator?: unknown };
  return typeof requestInitiator === "string" ? requestInitiator.toLowerCase() : "";
}

/** What VS Code's list shows. */
export function informationOf(view: View): Information[] {
  const providers = new Map(view.providers.map((provider) => [provider.id, provider]));
  const models = view.models.filter((model) => {
    const provider = providers.get(model.provider);
    return provider && isReachable(provider);
  });
  return [
    currentInformation(view, providers),
    ...view.shortcuts.map((shortcut) => shortcutInformation(shortcut, models)),
    ...models.map((model) => modelInformation(model, providers.get(model.provider))),
  ];
}

function currentInformation(view: View, providers: ReadonlyMap<string, Provider>): Information {
  const { selection } = view;
  const model = view.models.find((each) => each.model === selection?.target || each.model === selection?.model);
  const provider = providers.get(selection?.provider ?? "");
  return {
    ...limitsOf(model),
    id: CURRENT,
    name: "Pointsman (current)",
    family: model?.name ?? selection?.model ?? "pointsman",
    version: "1",
    detail: selection?.displayName ?? "",
    tooltip: `Whatever the status bar shows: ${selection?.displayName ?? "no model chosen"}`,
    // Tools always: the choice may change in the middle of a conversation, and the daemon says what it leaves out.
    capabilities: { toolCalling: true, imageInput: !model || capabilitiesOf(model, provider).includes("images") },
  };
}

function shortcutInformation({ name, model, leads }: Shortcut, models: readonly Model[]): Information {
  const target = models.find((each) => each.model === leads);
  return {
    ...limitsOf(target),
    id: model,
    name,
    family: target?.name ?? name,
    version: "1",
    detail: leads,
    tooltip: `${name} leads to ${leads}`,
    capabilities: { toolCalling: true, imageInput: !target || target.capabilities.includes("images") },
  };
}

function modelInformation(model: Model, provider: Provider | undefined): Information {
  const able = capabilitiesOf(model, provider);
  return {
    ...limitsOf(model),
    id: model.model,
    name: model.name,
    family: model.name,
    version: "1",
    detail: provider?.name ?? model.provider,
    tooltip: `${model.model}\n${factsOf(model, provider, Date.now())}`,
    capabilities: {
      toolCalling: able.includes("tools") || (able.length === 0 && !model.lacks?.includes("tools")),
      imageInput: able.includes("images"),
    },
  };
}

function limitsOf(model: Model | undefined) {
  const context = model?.contextWindow ?? CONTEXT;
  return { maxInputTokens: context, maxOutputTokens: model?.maxOutputTokens ?? Math.min(OUTPUT, context) };
}
