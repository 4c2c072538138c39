/**
 * The one connection of this window: finds the program, runs `pointsman connect`, and runs it again when it ends.
 *
 * One loop keeps it up, so that starts never overlap, whoever asks for one. Must never know what a method means.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as vscode from "vscode";
import type { LanguageClient, LanguageClientOptions } from "vscode-languageclient/node";
import { findExecutable } from "./executable";
import { disconnected, type Failure, failureOf } from "./failure";
import { type Methods, type Notifications, PROTOCOL, type ServerOptions } from "./protocol";

export type State = "starting" | "ready" | "lost" | "missing" | "stopped";

/** Seconds before the next attempt, by how many have failed in a row. */
const PAUSES = [0, 0.2, 0.5, 1, 2, 5];
/** Seconds that a request waits for a connection that is being made. */
const PATIENCE = 8;
/** Attempts to get this window's own id back while the one before a reload still seems to be there. */
const INSISTENCE = 6;

export class Connection implements vscode.Disposable {
  private readonly stateChanged = new vscode.EventEmitter<State>();
  private readonly heard = new vscode.EventEmitter<{ method: string; params: unknown }>();
  private client: LanguageClient | undefined;
  private wake: () => void = () => undefined;
  private ended: () => void = () => undefined;
  private running = true;
  private taken = 0;
  private lastWords = "";

  readonly onDidChangeState = this.stateChanged.event;
  state: State = "starting";
  /** Why there is no connection, for people; empty where all is well. */
  problem = "";
  server: ServerOptions | undefined;
  windowId: string;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.windowId = context.workspaceState.get<string>("windowId") ?? randomUUID();
    void context.workspaceState.update("windowId", this.windowId);
  }

  /** Keeps the connection up until it is disposed. */
  async keep(): Promise<void> {
    for (let failures = 0; this.running; ) {
      const began = Date.now();
      const reached = await this.once();
      failures = reached && Date.now() - began > 2000 ? 0 : failures + 1;
      if (this.running) {
        await this.pause(this.state === "missing" ? 2 : (PAUSES[Math.min(failures - 1, PAUSES.length - 1)] ?? 0));
      }
    }
  }

  /** Closes the connection and makes a new one. */
  async restart(): Promise<void> {
    this.log.info("restart");
    this.problem = "";
    this.taken = 0;
    await this.close();
    this.wake();
  }

  /** Whether there is a connection, after waiting some seconds for one that is being made. */
  async ready(seconds = PATIENCE): Promise<boolean> {
    if (this.state === "starting" || this.state === "lost") {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, seconds * 1000);
        const listening = this.onDidChangeState((state) => {
          if (state !== "starting" && state !== "lost") {
            clearTimeout(timer);
            listening.dispose();
            resolve();
          }
        });
      });
    }
    return this.state === "ready";
  }

  /** Asks the daemon. Throws a Failure. */
  async request<M extends keyof Methods>(
    method: M,
    params: Methods[M]["params"],
    token?: vscode.CancellationToken,
  ): Promise<Methods[M]["result"]> {
    if (!(await this.ready()) || !this.client) {
      throw disconnected(this.problem || undefined);
    }
    try {
      // A token that is undefined would be sent as a second parameter.
      return await (token ? this.client.sendRequest(method, params, token) : this.client.sendRequest(method, params));
    } catch (error) {
      throw failureOf(error);
    }
  }

  /** Calls `listener` for each notification of a name. */
  on<N extends keyof Notifications>(name: N, listener: (params: Notifications[N]) => void): vscode.Disposable {
    return this.heard.event(({ method, params }) => {
      if (method === name) {
        listener(params as Notifications[N]);
      }
    });
  }

  dispose(): void {
    this.running = false;
    this.wake();
    void this.close();
    this.stateChanged.dispose();
    this.heard.dispose();
  }

  async close(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.stop(1500).catch((error) => this.log.debug(`stop: ${error}`));
    this.ended(); // A connection that this side closes is not told of.
  }

  /** One connection from its start to its end; says whether there was one. */
  private async once(): Promise<boolean> {
    const found = this.find();
    if ("problem" in found) {
      this.become("missing", found.problem);
      return false;
    }
    if (this.state !== "lost") {
      this.become("starting");
    }
    this.lastWords = "";
    const end = new Promise<void>((resolve) => {
      this.ended = resolve;
    });
    const client = await this.makeClient(found.file, this.ended);
    this.client = client;
    let failure: Failure | undefined;
    try {
      await client.start();
      if (await this.greeted(client)) {
        this.become("ready");
        await end;
      }
    } catch (error) {
      failure = failureOf(error);
    }
    const reached = this.state === "ready";
    if (this.running) {
      const why = this.lastWords || (reached ? "" : (failure?.message ?? ""));
      this.log.warn(`connection ended${why ? `: ${why}` : ""}`);
      this.become("lost", why);
    }
    if (this.client === client) {
      this.client = undefined;
    }
    await client.dispose(500).catch((error) => this.log.debug(`dispose: ${error}`));
    return reached;
  }

  /** Looks at who answers; false where another attempt is due at once. */
  private async greeted(client: LanguageClient): Promise<boolean> {
    const server = client.initializeResult?.capabilities.experimental?.pointsman as ServerOptions | undefined;
    if (server?.protocol !== PROTOCOL) {
      const theirs = server ? `protocol ${server.protocol}` : "no protocol of ours";
      this.lastWords = `The daemon speaks ${theirs}, and this extension ${PROTOCOL}: update whichever is older.`;
      await this.pause(30);
      return false;
    }
    if (server.windowTaken && this.taken++ < INSISTENCE) {
      this.lastWords = "The connection from before the reload is not closed yet.";
      await this.pause(0.3);
      return false;
    }
    this.server = server;
    this.windowId = server.windowId;
    this.log.info(`connected to ${server.version} as window ${server.windowId.slice(0, 8)}`);
    return true;
  }

  private find(): ReturnType<typeof findExecutable> {
    return findExecutable({
      configured: vscode.workspace.getConfiguration("pointsman").get("executable", "").trim(),
      search: process.env.PATH ?? "",
      home: os.homedir(),
      folders: (vscode.workspace.workspaceFolders ?? []).flatMap(({ uri }) =>
        uri.scheme === "file" ? [uri.fsPath, real(uri.fsPath)] : [],
      ),
      program(file) {
        try {
          fs.accessSync(file, fs.constants.X_OK);
          return fs.statSync(file).isFile() ? real(file) : undefined;
        } catch {
          return undefined;
        }
      },
    });
  }

  private async makeClient(file: string, ended: () => void): Promise<LanguageClient> {
    const lsp = await import("./lsp.js");
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: "file", pattern: "**/{pointsman,.pointsman}.toml" }],
      outputChannel: this.log,
      traceOutputChannel: this.log,
      revealOutputChannelOn: lsp.RevealOutputChannelOn.Never,
      diagnosticCollectionName: "pointsman",
      initializationOptions: { pointsman: this.introduction() },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: lsp.ErrorAction.Continue, handled: true }),
        closed: () => {
          ended();
          return { action: lsp.CloseAction.DoNotRestart, handled: true };
        },
      },
    };
    const client = new lsp.LanguageClient("pointsman", "Pointsman", () => this.run(file), options);
    for (const method of HEARD) {
      client.onNotification(method, (params: unknown) => this.heard.fire({ method, params }));
    }
    return client;
  }

  private introduction() {
    return {
      client: "vscode",
      clientVersion: String(this.context.extension.packageJSON.version),
      windowId: this.context.workspaceState.get<string>("windowId") ?? this.windowId,
      workspaceTrusted: vscode.workspace.isTrusted,
      remote: vscode.env.remoteName !== undefined || vscode.env.uiKind === vscode.UIKind.Web,
    };
  }

  private async run(file: string): Promise<ChildProcess> {
    this.log.info(`run ${file} connect`);
    const child = spawn(file, ["connect"], { cwd: os.homedir(), stdio: "pipe" });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.lastWords = text.trim().split("\n").at(-1) ?? "";
    });
    child.stdin.on("error", (error) => this.log.debug(`stdin: ${error}`));
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    return child;
  }

  private become(state: State, problem = ""): void {
    if (state !== this.state || problem !== this.problem) {
      this.state = state;
      this.problem = problem;
      void vscode.commands.executeCommand("setContext", "pointsman.connected", state === "ready");
      this.stateChanged.fire(state);
    }
  }

  private async pause(seconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const HEARD: readonly (keyof Notifications)[] = [
  "pointsman/chatEvents",
  "pointsman/selectionChanged",
  "pointsman/providersChanged",
  "pointsman/chatsChanged",
  "pointsman/configProblem",
  "pointsman/sessionsChanged",
  "pointsman/signInCode",
];

function real(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    return file;
  }
}
