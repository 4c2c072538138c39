/** The item in the status bar. What it says is made in `status-text.ts`. */

import * as vscode from "vscode";
import type { Connection } from "./connection";
import type { Mirror } from "./mirror";
import { statusText } from "./status-text";

const COMMANDS = ["switchModel", "explainRoute", "status", "ask", "showChats"].map((id) => `pointsman.${id}`);

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;
  private readonly subscriptions: vscode.Disposable[];
  private ticking: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly mirror: Mirror,
    private readonly version: string,
  ) {
    const left = vscode.workspace.getConfiguration("pointsman").get("statusBar.alignment") === "left";
    const side = left ? vscode.StatusBarAlignment.Left : vscode.StatusBarAlignment.Right;
    this.item = vscode.window.createStatusBarItem("pointsman.model", side, 100);
    this.item.name = "Pointsman: Model";
    this.subscriptions = [
      this.item,
      connection.onDidChangeState(() => this.draw()),
      mirror.onDidChange((part) => part === "models" || part === "shortcuts" || this.draw()),
    ];
    this.draw();
    this.item.show();
  }

  dispose(): void {
    clearTimeout(this.ticking);
    vscode.Disposable.from(...this.subscriptions).dispose();
  }

  private draw(): void {
    const { view } = this.mirror;
    const { connection } = this;
    const said = statusText({
      state: connection.state,
      problem: connection.problem,
      view,
      answering: view.chats.filter(({ windowId }) => windowId === connection.windowId).length,
      now: Date.now(),
      versions: { extension: this.version, daemon: connection.server?.version ?? "" },
    });
    this.item.text = said.text;
    this.item.command = said.command;
    this.item.accessibilityInformation = { label: said.label };
    this.item.tooltip = new vscode.MarkdownString(said.tooltip, true);
    this.item.tooltip.isTrusted = { enabledCommands: COMMANDS };
    this.item.backgroundColor = said.background && new vscode.ThemeColor(`statusBarItem.${said.background}Background`);
    this.tick();
  }

  /** Draws again while something counts down. */
  private tick(): void {
    clearTimeout(this.ticking);
    const provider = this.mirror.provider(this.mirror.view.selection?.provider);
    if (provider?.temporary || provider?.resetsAt) {
      this.ticking = setTimeout(() => this.draw(), provider.temporary ? 1000 : 15_000);
    }
  }
}
