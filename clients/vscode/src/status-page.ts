/** The status page: a panel that shows the overview and sends back what was clicked. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Connection } from "./connection";
import { failureOf } from "./failure";
import type { Mirror } from "./mirror";
import { overview } from "./overview";
import type { Methods, ProviderTestResult, StatusResult } from "./protocol";
import { sayError } from "./say";

const TYPE = "pointsman.status";
/** Milliseconds between two pictures; more changes than that are drawn at once. */
const FRAME = 100;
const DAYS = 14;

type Usage = { days: UsageTotals; models: UsageTotals };
type UsageTotals = NonNullable<Methods["pointsman/usage"]["result"]["totals"]>;

export class StatusPage implements vscode.Disposable, vscode.WebviewPanelSerializer {
  private panel: vscode.WebviewPanel | undefined;
  private readonly subscriptions: vscode.Disposable[];
  private readonly tests = new Map<string, ProviderTestResult | "running">();
  private status: StatusResult | undefined;
  private usage: Usage | undefined;
  private due = false;
  private goTo = "";

  constructor(
    private readonly connection: Connection,
    private readonly mirror: Mirror,
    private readonly files: vscode.Uri,
  ) {
    this.subscriptions = [
      vscode.window.registerWebviewPanelSerializer(TYPE, this),
      connection.onDidChangeState((state) => (state === "ready" ? void this.ask() : this.draw())),
      mirror.onDidChange((part) => {
        this.draw();
        if (part === "chats" && this.mirror.view.chats.length === 0) {
          void this.ask();
        }
      }),
    ];
  }

  show(section = ""): void {
    this.goTo = section;
    if (this.panel) {
      this.panel.reveal();
      this.draw();
      return;
    }
    this.take(vscode.window.createWebviewPanel(TYPE, "Pointsman", vscode.ViewColumn.Active));
  }

  async deserializeWebviewPanel(panel: vscode.WebviewPanel): Promise<void> {
    this.take(panel);
  }

  dispose(): void {
    this.panel?.dispose();
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private take(panel: vscode.WebviewPanel): void {
    this.panel = panel;
    panel.iconPath = vscode.Uri.joinPath(this.files, "media", "icon.png");
    panel.webview.options = { enableScripts: true, localResourceRoots: [this.files], enableForms: false };
    panel.webview.onDidReceiveMessage((message) => void this.heard(message));
    panel.onDidChangeViewState(() => this.draw());
    panel.onDidDispose(() => {
      this.panel = undefined;
    });
    panel.webview.html = this.html(panel.webview);
    void this.ask();
  }

  /** What is not told by itself. */
  private async ask(): Promise<void> {
    if (!this.panel) {
      return;
    }
    this.status = await this.connection.request("pointsman/status", {}).catch(() => undefined);
    this.usage = await this.askUsage().catch(() => undefined);
    this.draw();
  }

  private async askUsage(): Promise<Usage> {
    const since = new Date(Date.now() - DAYS * 86_400_000).toISOString();
    const of = async (by: "day" | "model") => (await this.connection.request("pointsman/usage", { since, by })).totals;
    return { days: await of("day"), models: await of("model") };
  }

  private draw(): void {
    if (this.panel?.visible && !this.due) {
      this.due = true;
      setTimeout(() => {
        this.due = false;
        void this.panel?.webview.postMessage({ overview: this.overview(), goTo: this.goTo });
        this.goTo = "";
      }, FRAME);
    }
  }

  private overview() {
    return overview({
      connected: this.connection.state === "ready",
      problem: this.connection.problem,
      view: this.mirror.view,
      status: this.status,
      tests: this.tests,
      usage: this.usage,
      now: Date.now(),
    });
  }

  /** What was clicked: a command, by its name in this table, and whom it is about. */
  private async heard(message: { does?: unknown; about?: unknown }): Promise<void> {
    const about = typeof message.about === "string" ? message.about : "";
    const run = (command: string) => vscode.commands.executeCommand(`pointsman.${command}`, about || undefined);
    const deeds: Readonly<Record<string, () => Thenable<unknown>>> = {
      ready: async () => this.draw(),
      addKey: () => run("addKey"),
      signIn: () => run("signIn"),
      signOut: () => run("signOut"),
      tryKey: () => run("tryKey"),
      switchModel: () => run("switchModel"),
      openConfiguration: () => run("openConfiguration"),
      showLog: () => run("showLog"),
      test: () => this.test(about),
      link: async () => /^https:\/\//.test(about) && vscode.env.openExternal(vscode.Uri.parse(about, true)),
      stopChat: () => this.connection.request("pointsman/cancelChat", { chatId: about }),
      endSession: () => this.connection.request("pointsman/clearSession", { id: about }),
    };
    try {
      await deeds[String(message.does)]?.();
    } catch (error) {
      await sayError(error);
    }
  }

  private async test(provider: string): Promise<void> {
    this.tests.set(provider, "running");
    this.draw();
    try {
      this.tests.set(provider, await this.connection.request("pointsman/testProvider", { provider }));
    } catch (error) {
      this.tests.set(provider, { ok: false, milliseconds: 0, models: 0, error: failureOf(error).data });
    }
    this.draw();
  }

  private html(webview: vscode.Webview): string {
    const nonce = randomBytes(16).toString("base64");
    const at = (...way: string[]) => webview.asWebviewUri(vscode.Uri.joinPath(this.files, ...way));
    const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
    return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="stylesheet" href="${at("media", "page.css")}">
  <title>Pointsman</title>
</head>
<body>
  <main id="page" aria-busy="true"><p role="status">Asking the daemon …</p></main>
  <script nonce="${nonce}" src="${at("dist", "page.js")}"></script>
</body>
</html>`;
  }
}
