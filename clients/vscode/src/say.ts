/** What a person is told: errors with what helps against them. */

import * as vscode from "vscode";
import { failureOf, REMEDIES } from "./failure";

/** Shows an error, with a button for what it advises. */
export async function sayError(error: unknown): Promise<void> {
  const failure = failureOf(error);
  if (failure.code === "RequestCancelled") {
    return;
  }
  const remedy = REMEDIES[failure.code];
  const buttons = remedy ? [remedy.title] : [];
  if (remedy && (await vscode.window.showErrorMessage(failure.message, ...buttons)) === remedy.title) {
    await vscode.commands.executeCommand(remedy.command, failure.data.provider);
  } else if (!remedy) {
    await vscode.window.showErrorMessage(failure.message);
  }
}

/** Does something for a command; what goes wrong is shown. */
export async function orSayError<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    void sayError(error);
    return undefined;
  }
}
