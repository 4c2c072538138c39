/**
 * Read-only documents of the scheme `pointsman`: an answer while it comes, and where a name leads.
 *
 * What a document shows is in its address alone. So after a reload VS Code opens the same one, and an answer is
 * followed again from its first event.
 */

import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import type { Chats } from "./chats";
import type { Connection } from "./connection";
import { failureOf } from "./failure";
import type { Mirror } from "./mirror";
import type { ChatParams, ChatResult } from "./protocol";
import { routeText } from "./route-text";
import { after, begun, isOver, rendered, type Transcript } from "./transcript";
import { headline } from "./words";

export const SCHEME = "pointsman";
/** Seconds for which an answer runs on while nobody follows it. */
const DETACH = 300;
/** Milliseconds between two looks at a document that grows. */
const FRAME = 80;

interface Answer {
  so: Transcript;
  due: boolean;
  stop: vscode.CancellationTokenSource;
}

export class Documents implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly answers = new Map<string, Answer>();
  private readonly subscriptions: vscode.Disposable[];

  readonly onDidChange = this.changed.event;

  constructor(
    private readonly connection: Connection,
    private readonly chats: Chats,
    private readonly mirror: Mirror,
  ) {
    this.subscriptions = [
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.workspace.onDidChangeTextDocument((event) => keepInView(event)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.forget(uri)),
      vscode.window.onDidChangeActiveTextEditor(() => this.mark()),
    ];
  }

  /** Asks, and shows the answer while it comes. */
  async ask(question: string, params: Partial<ChatParams> = {}, column = vscode.ViewColumn.Active): Promise<void> {
    const chatId = randomUUID();
    const title = headline(question);
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${fileName(title)}.md`, query: `chat=${chatId}` });
    const messages = params.messages ?? [{ role: "user", content: question }];
    this.begin(uri, chatId, title, (sink, token) =>
      this.chats.ask({ ...params, messages, chatId, detach: DETACH }, sink, token),
    );
    await this.show(uri, column);
  }

  /** Shows a chat that somebody else has begun. */
  async watch(chatId: string, title: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${fileName(title)}.md`, query: `chat=${chatId}` });
    await this.show(uri, vscode.ViewColumn.Active);
  }

  async explain(model: string | undefined): Promise<void> {
    const query = model ? `route=${encodeURIComponent(model)}` : "route=";
    const uri = vscode.Uri.from({ scheme: SCHEME, path: "/Route.md", query });
    this.changed.fire(uri);
    await this.show(uri, vscode.ViewColumn.Active);
  }

  /** Ends the answer that the active editor shows. */
  stop(): void {
    const shown = vscode.window.activeTextEditor?.document.uri;
    this.answers.get(chatIn(shown) ?? "")?.stop.cancel();
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const chatId = chatIn(uri);
    if (chatId) {
      const known = this.answers.get(chatId) ?? this.rejoin(uri, chatId);
      return rendered(known.so);
    }
    const model = new URLSearchParams(uri.query).get("route") || undefined;
    try {
      const route = await this.connection.request("pointsman/explainRoute", model ? { model } : {});
      return routeText(model, route, this.mirror.view.selection);
    } catch (error) {
      return `# ${failureOf(error).message}\n`;
    }
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private rejoin(uri: vscode.Uri, chatId: string): Answer {
    const title = uri.path.slice(1, -".md".length);
    return this.begin(uri, chatId, title, (sink, token) => this.chats.attach(chatId, -1, sink, token));
  }

  private begin(
    uri: vscode.Uri,
    chatId: string,
    title: string,
    follow: (sink: Parameters<Chats["ask"]>[1], token: vscode.CancellationToken) => Promise<ChatResult>,
  ): Answer {
    const answer: Answer = { so: begun(title), due: false, stop: new vscode.CancellationTokenSource() };
    this.answers.set(chatId, answer);
    const update = (so: Transcript) => {
      answer.so = so;
      if (!answer.due) {
        answer.due = true;
        setTimeout(() => {
          answer.due = false;
          this.changed.fire(uri);
          this.mark();
        }, FRAME);
      }
    };
    void follow((events) => update(after(answer.so, events)), answer.stop.token).then(
      (result) => update({ ...answer.so, result }),
      (error) => update({ ...answer.so, failure: failureOf(error).data }),
    );
    return answer;
  }

  /** A closed document shows no answer any more; the chat itself goes on for those who follow it elsewhere. */
  private forget(uri: vscode.Uri): void {
    const chatId = uri.scheme === SCHEME ? chatIn(uri) : undefined;
    const answer = this.answers.get(chatId ?? "");
    if (chatId && answer && isOver(answer.so)) {
      this.answers.delete(chatId);
    }
  }

  private async show(uri: vscode.Uri, viewColumn: vscode.ViewColumn): Promise<void> {
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { viewColumn, preview: false });
    this.mark();
  }

  /** Lets the button that stops an answer be there while one comes. */
  private mark(): void {
    const answer = this.answers.get(chatIn(vscode.window.activeTextEditor?.document.uri) ?? "");
    void vscode.commands.executeCommand("setContext", "pointsman.answering", Boolean(answer && !isOver(answer.so)));
  }
}

function chatIn(uri: vscode.Uri | undefined): string | undefined {
  return uri?.scheme === SCHEME ? (new URLSearchParams(uri.query).get("chat") ?? undefined) : undefined;
}

/** Text as the name of a document. */
function fileName(title: string): string {
  return title.replace(/[\\/]/g, "∕") || "Answer";
}

/** An answer that grows stays in view for whoever looks at its end. */
function keepInView({ document, contentChanges }: vscode.TextDocumentChangeEvent): void {
  if (document.uri.scheme !== SCHEME || contentChanges.length === 0) {
    return;
  }
  const last = document.lineCount - 1;
  for (const editor of vscode.window.visibleTextEditors) {
    const bottom = editor.visibleRanges.at(-1)?.end.line ?? 0;
    if (editor.document === document && bottom < last && bottom >= last - 8) {
      editor.revealRange(new vscode.Range(last, 0, last, 0));
    }
  }
}
