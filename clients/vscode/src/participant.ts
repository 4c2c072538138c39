/** `@pointsman` in VS Code's chat: the model of the status bar, with who answered and what it cost. */

import * as vscode from "vscode";
import type { Chats } from "./chats";
import type { Connection } from "./connection";
import { failureOf, inWords, REMEDIES } from "./failure";
import { isUsable, stateInWords } from "./health";
import type { Mirror } from "./mirror";
import type { Picker } from "./picker";
import type { ChatEvent, Message } from "./protocol";
import { escaped } from "./status-text";
import { receiptOf } from "./transcript";
import { inLocalTime, waitingInWords } from "./words";

/** Characters of an attached file that go along. */
const MOST_ATTACHED = 60_000;

type Answering = (request: vscode.ChatRequest, stream: vscode.ChatResponseStream) => Promise<void>;

export class Participant implements vscode.Disposable {
  private readonly participant: vscode.ChatParticipant;
  private readonly commands: Readonly<Record<string, Answering>> = {
    model: (request, stream) => this.model(request, stream),
    providers: (_request, stream) => this.providers(stream),
    try: (request, stream) => this.tryKey(request, stream),
  };

  constructor(
    private readonly connection: Connection,
    private readonly chats: Chats,
    private readonly mirror: Mirror,
    private readonly picker: Picker,
    icon: vscode.Uri,
  ) {
    this.participant = vscode.chat.createChatParticipant("pointsman.chat", async (request, context, stream, token) => {
      try {
        const command = this.commands[request.command ?? ""];
        await (command ? command(request, stream) : this.answer(request, context, stream, token));
        return {};
      } catch (error) {
        const failure = failureOf(error);
        const remedy = REMEDIES[failure.code];
        if (remedy) {
          stream.button({ ...remedy, arguments: failure.data.provider ? [failure.data.provider] : [] });
        }
        return { errorDetails: { message: failure.message } };
      }
    });
    this.participant.iconPath = icon;
  }

  dispose(): void {
    this.participant.dispose();
  }

  private async answer(
    request: vscode.ChatRequest,
    context: vscode.ChatContext,
    stream: vscode.ChatResponseStream,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const messages = [...historyOf(context), { role: "user" as const, content: await promptOf(request) }];
    const result = await this.chats.ask({ messages }, (events) => show(events, stream), token);
    const error = result.error ? `\n\n**${escaped(inWords(result.error))}**` : "";
    stream.markdown(`${error}\n\n*${escaped(receiptOf(result))}*`);
  }

  private async model(request: vscode.ChatRequest, stream: vscode.ChatResponseStream): Promise<void> {
    const wanted = request.prompt.trim();
    const selection = wanted
      ? await this.picker.switchTo(wanted)
      : await this.connection.request("pointsman/currentModel", {});
    stream.markdown(`**${escaped(selection.displayName)}**\n\n${escaped(inLocalTime(selection.why))}`);
    stream.button({ command: "pointsman.switchModel", title: "Switch Model" });
    stream.button({ command: "pointsman.explainRoute", title: "Explain Route" });
  }

  private async providers(stream: vscode.ChatResponseStream): Promise<void> {
    await this.mirror.loaded();
    const { providers } = this.mirror.view;
    const rows = providers.filter(isUsable).map((provider) => {
      const state = stateInWords(provider, Date.now());
      return `| ${escaped(provider.name)} | ${escaped(state)} | ${escaped(provider.defaultModel ?? "")} |`;
    });
    const rest = providers.filter((provider) => !isUsable(provider)).map(({ name }) => escaped(name));
    stream.markdown(["| provider | state | default model |", "|---|---|---|", ...rows].join("\n"));
    stream.markdown(rest.length ? `\n\nNot set up: ${rest.sort().join(", ")}.` : "");
    stream.button({ command: "pointsman.status", title: "Providers and Status" });
  }

  private async tryKey(request: vscode.ChatRequest, stream: vscode.ChatResponseStream): Promise<void> {
    const wanted = request.prompt.trim();
    stream.markdown("A key never goes through the chat: type it into the field that opens.");
    const begun = await vscode.commands.executeCommand<string | undefined>("pointsman.tryKey", wanted || undefined);
    stream.markdown(`\n\n${escaped(begun ?? "No key was given.")}`);
  }
}

function show(events: readonly ChatEvent[], stream: vscode.ChatResponseStream): void {
  for (const event of events) {
    switch (event.type) {
      case "text":
        stream.markdown(event.text);
        break;
      case "waiting":
        stream.progress(waitingInWords(event));
        break;
      case "attemptFailed":
        stream.progress(`${event.model}: ${event.error.message}`);
        break;
      case "notice":
        stream.progress(event.text);
        break;
      default:
    }
  }
}

function historyOf({ history }: vscode.ChatContext): Message[] {
  const turns = history.map((turn): Message => {
    if (turn instanceof vscode.ChatRequestTurn) {
      return { role: "user", content: turn.prompt };
    }
    const said = turn.response.map((part) => (part instanceof vscode.ChatResponseMarkdownPart ? part.value.value : ""));
    return { role: "assistant", content: said.join("") };
  });
  return turns.filter(({ content }) => content.length > 0);
}

async function promptOf(request: vscode.ChatRequest): Promise<string> {
  const attached = await Promise.all(request.references.map(({ value }) => textOf(value)));
  return [request.prompt, ...attached.filter(Boolean)].join("\n\n");
}

async function textOf(value: unknown): Promise<string> {
  if (typeof value === "string") {
    return value;
  }
  const [uri, range] = value instanceof vscode.Location ? [value.uri, value.range] : [value, undefined];
  if (!(uri instanceof vscode.Uri)) {
    return "";
  }
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    const text = document.getText(range).slice(0, MOST_ATTACHED);
    return `\`\`\`${document.languageId} ${vscode.workspace.asRelativePath(uri)}\n${text}\n\`\`\``;
  } catch {
    return "";
  }
}
