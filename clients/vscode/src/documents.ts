/**
 * Read-only files of the scheme `pointsman`: an answer while it comes, and where a name leads.
 *
 * What a file shows is in its address alone. So after a reload VS Code opens the same one, and an answer is followed
 * again from its first event. They are files, and no content of a provider: VS Code forgets the editors of those.
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
/** In an address, the choice that holds. */
const CURRENT = "current choice";

interface Answer {
  so: Transcript;
  /** How often it has changed. */
  version: number;
  due: boolean;
  stop: vscode.CancellationTokenSource;
}

export class Documents implements vscode.FileSystemProvider, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  private readonly answers = new Map<string, Answer>();
  private readonly subscriptions: vscode.Disposable[];
  private readonly began = Date.now();

  readonly onDidChangeFile = this.changed.event;

  constructor(
    private readonly connection: Connection,
    private readonly chats: Chats,
    private readonly mirror: Mirror,
  ) {
    this.subscriptions = [
      this.changed,
      vscode.workspace.registerFileSystemProvider(SCHEME, this, { isReadonly: true, isCaseSensitive: true }),
      vscode.workspace.onDidChangeTextDocument((event) => keepInView(event)),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => this.forget(uri)),
      vscode.window.onDidChangeActiveTextEditor(() => this.mark()),
    ];
  }

  /** Asks, and shows the answer while it comes. */
  async ask(question: string, params: Partial<ChatParams> = {}, column = vscode.ViewColumn.Active): Promise<void> {
    const chatId = randomUUID();
    const title = headline(question);
    const uri = addressOf("chat", chatId, title);
    const messages = params.messages ?? [{ role: "user", content: question }];
    this.begin(uri, chatId, title, (sink, token) =>
      this.chats.ask({ ...params, messages, chatId, detach: DETACH }, sink, token),
    );
    await this.show(uri, column);
  }

  /** Shows a chat that somebody else has begun. */
  async showChat(chatId: string, title: string): Promise<void> {
    await this.show(addressOf("chat", chatId, headline(title)), vscode.ViewColumn.Active);
  }

  async explain(model: string | undefined): Promise<void> {
    const uri = addressOf("route", model ?? CURRENT, "Route");
    this.changed.fire([{ type: vscode.FileChangeType.Changed, uri }]);
    await this.show(uri, vscode.ViewColumn.Active);
  }

  /** Ends the answer that the active editor shows. */
  stop(): void {
    const shown = vscode.window.activeTextEditor?.document.uri;
    this.answers.get(chatIn(shown) ?? "")?.stop.cancel();
  }

  stat(uri: vscode.Uri): vscode.FileStat {
    const answer = this.answers.get(chatIn(uri) ?? "");
    const mtime = this.began + (answer ? answer.version : Date.now() - this.began);
    const size = answer ? Buffer.byteLength(rendered(answer.so)) : 0;
    return { type: vscode.FileType.File, ctime: 0, mtime, size, permissions: vscode.FilePermission.Readonly };
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    const chatId = chatIn(uri);
    const text = chatId
      ? rendered((this.answers.get(chatId) ?? this.rejoin(uri, chatId)).so)
      : await this.route(nameIn(uri));
    return Buffer.from(text);
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  readDirectory(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  createDirectory(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  writeFile(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  delete(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  rename(): never {
    throw vscode.FileSystemError.NoPermissions();
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private async route(name: string): Promise<string> {
    const model = name === CURRENT ? undefined : name;
    try {
      const route = await this.connection.request("pointsman/explainRoute", model ? { model } : {});
      return routeText(model, route, this.mirror.view.selection);
    } catch (error) {
      return `# ${failureOf(error).message}\n`;
    }
  }

  private rejoin(uri: vscode.Uri, chatId: string): Answer {
    const title = uri.path.split("/").at(-1)?.slice(0, -".md".length) ?? "";
    return this.begin(uri, chatId, title, (sink, token) => this.chats.attach(chatId, -1, sink, token));
  }

  private begin(
    uri: vscode.Uri,
    chatId: string,
    title: string,
    follow: (sink: Parameters<Chats["ask"]>[1], token: vscode.CancellationToken) => Promise<ChatResult>,
  ): Answer {
    const answer: Answer = { so: begun(title), version: 0, due: false, stop: new vscode.CancellationTokenSource() };
    this.answers.set(chatId, answer);
    const update = (so: Transcript) => {
      answer.so = so;
      answer.version++;
      if (!answer.due) {
        answer.due = true;
        setTimeout(() => {
          answer.due = false;
          this.changed.fire([{ type: vscode.FileChangeType.Changed, uri }]);
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

function addressOf(kind: "chat" | "route", name: string, title: string): vscode.Uri {
  return vscode.Uri.from({ scheme: SCHEME, path: `/${kind}/${encodeURIComponent(name)}/${fileName(title)}.md` });
}

/** What an address is about. */
function nameIn(uri: vscode.Uri): string {
  return decodeURIComponent(uri.path.split("/")[2] ?? "");
}

function chatIn(uri: vscode.Uri | undefined): string | undefined {
  return uri?.scheme === SCHEME && uri.path.startsWith("/chat/") ? nameIn(uri) : undefined;
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
