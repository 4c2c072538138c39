/** Switch Model: the quick pick. Its lines are made in `picker-items.ts`. */

import * as vscode from "vscode";
import type { Connection } from "./connection";
import type { Mirror } from "./mirror";
import { type Action, type Line, pickerLines } from "./picker-items";
import type { Scope, Selection } from "./protocol";
import type { Recent } from "./recent";

type Item = vscode.QuickPickItem & { action?: Action };

interface ScopeButton extends vscode.QuickInputButton {
  scope: Scope;
}

const SCOPES: readonly { scope: Scope; icon: string; title: string }[] = [
  { scope: "window", icon: "window", title: "For this window" },
  { scope: "workspace", icon: "folder", title: "For this workspace" },
  { scope: "global", icon: "globe", title: "Everywhere" },
];
const REFRESH: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("refresh"),
  tooltip: "Ask the providers for their models anew",
};
const STATUS: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("dashboard"),
  tooltip: "Providers and Status",
};
const WHY: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("question"),
  tooltip: "Explain where this leads",
};

/** Milliseconds. VS Code names a row by its place alone: right after a new list, what is active may be of the former. */
const SETTLES = 500;

export class Picker {
  constructor(
    private readonly connection: Connection,
    private readonly mirror: Mirror,
    private readonly recent: Recent,
  ) {}

  /** Lets a person choose, and gives what holds then; undefined where nothing was chosen. Throws a Failure. */
  async show(): Promise<Selection | undefined> {
    const scope = scopeOf(this.mirror.view.selection);
    const picked = await this.pick(scope);
    if (!picked) {
      return undefined;
    }
    const { action } = picked;
    switch (action.does) {
      case "choose":
        return this.switchTo(action.model, picked.scope);
      case "clear":
        return this.connection.request("pointsman/switchModel", { model: null, scope: action.scope });
      case "addKey":
        await vscode.commands.executeCommand("pointsman.addKey", action.provider);
        return undefined;
      case "signIn":
        await vscode.commands.executeCommand("pointsman.signIn", action.provider);
        return undefined;
    }
  }

  /** Chooses a model; a scope that is absent is the one that decides now. Throws a Failure. */
  async switchTo(model: string, scope?: Scope): Promise<Selection> {
    const chosen = scope ?? scopeOf(this.mirror.view.selection);
    const selection = await this.connection.request("pointsman/switchModel", { model, scope: chosen });
    await this.recent.add(model);
    return selection;
  }

  private pick(first: Scope): Promise<{ action: Action; scope: Scope } | undefined> {
    const pick = vscode.window.createQuickPick<Item>();
    let scope = first;
    let drawn = "";
    let filled = 0;
    const draw = () => {
      const lines = pickerLines(this.mirror.view, this.recent.models, Date.now());
      const now = JSON.stringify(lines);
      if (now !== drawn) {
        drawn = now;
        fill(pick, lines);
        filled = Date.now();
      }
      pick.busy = this.mirror.view.models.length === 0;
    };
    const title = () => {
      const chosen = SCOPES.find((each) => each.scope === scope);
      pick.title = `Switch Model: ${chosen?.title.toLowerCase()}`;
      pick.buttons = [...SCOPES.map((each) => scopeButton(each, each.scope === scope)), REFRESH, STATUS];
    };
    pick.placeholder = "Type a model, a provider, or what it can do";
    pick.matchOnDescription = true;
    pick.matchOnDetail = true;
    pick.keepScrollPosition = true;
    draw();
    title();
    void this.mirror.loadShortcuts();
    return new Promise((resolve) => {
      const accept = () => {
        const early = filled + SETTLES - Date.now();
        if (early > 0) {
          setTimeout(accept, early);
          return;
        }
        const action = pick.activeItems[0]?.action;
        resolve(action && { action, scope });
        pick.hide();
      };
      const listening = vscode.Disposable.from(
        this.mirror.onDidChange(draw),
        pick.onDidTriggerButton((button) => {
          if (button === REFRESH) {
            pick.busy = true;
            void this.mirror.loadModels(true).finally(draw);
          } else if (button === STATUS) {
            pick.hide();
            void vscode.commands.executeCommand("pointsman.status");
          } else {
            scope = (button as ScopeButton).scope;
            title();
          }
        }),
        pick.onDidTriggerItemButton(({ item }) => {
          if (item.action?.does === "choose") {
            void vscode.commands.executeCommand("pointsman.explainRoute", item.action.model);
          }
        }),
        pick.onDidAccept(accept),
        pick.onDidHide(() => {
          resolve(undefined);
          listening.dispose();
          pick.dispose();
        }),
      );
      pick.show();
    });
  }
}

/** Puts lines in. Whoever has gone down the list stays there; whoever types gets the first that fits. */
function fill(pick: vscode.QuickPick<Item>, lines: readonly Line[]): void {
  const [active] = pick.activeItems;
  const moved = pick.value === "" && active !== pick.items.find(({ action }) => action);
  pick.items = lines.map(itemOf);
  const again = moved && pick.items.find(({ label }) => label === active?.label);
  if (again) {
    pick.activeItems = [again];
  }
}

function scopeOf(selection: Selection | undefined): Scope {
  const scope = selection?.scope;
  return scope === "window" || scope === "workspace" ? scope : "global";
}

function scopeButton({ scope, icon, title }: (typeof SCOPES)[number], chosen: boolean): ScopeButton {
  const color = chosen ? new vscode.ThemeColor("charts.blue") : undefined;
  return { scope, iconPath: new vscode.ThemeIcon(icon, color), tooltip: chosen ? `${title} (chosen)` : title };
}

function itemOf(line: Line): Item {
  if (line.kind === "separator") {
    return { label: line.label, kind: vscode.QuickPickItemKind.Separator };
  }
  const { label, description, detail, action } = line;
  return { label, description, detail, action, buttons: action.does === "choose" ? [WHY] : [] };
}
