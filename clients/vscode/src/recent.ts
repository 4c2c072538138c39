/** Models that were chosen last, the latest first, for all windows of this user. */

import type * as vscode from "vscode";

const MOST = 8;

export class Recent {
  constructor(private readonly memento: vscode.Memento) {}

  get models(): readonly string[] {
    return this.memento.get<string[]>("recent", []);
  }

  async add(model: string): Promise<void> {
    await this.memento.update("recent", [model, ...this.models.filter((each) => each !== model)].slice(0, MOST));
  }
}
