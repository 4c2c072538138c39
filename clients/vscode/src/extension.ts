/** Pointsman in VS Code: what there is, and what is handed to whom. */

import * as vscode from "vscode";
import { began } from "./began";
import { Chats } from "./chats";
import { registerCommands } from "./commands";
import { Connection } from "./connection";
import { Credentials } from "./credentials";
import { Documents } from "./documents";
import { LanguageModels } from "./language-models";
import { Mirror } from "./mirror";
import { Participant } from "./participant";
import { Picker } from "./picker";
import { Recent } from "./recent";
import { StatusItem } from "./status-item";
import { StatusPage } from "./status-page";

let connection: Connection | undefined;

export function activate(context: vscode.ExtensionContext) {
  const called = performance.now();
  const log = vscode.window.createOutputChannel("Pointsman", { log: true });
  connection = new Connection(context, log);
  const mirror = new Mirror(connection, log);
  const status = new StatusItem(connection, mirror, context.extension.packageJSON.version);
  const chats = new Chats(connection);
  const picker = new Picker(connection, mirror, new Recent(context.globalState));
  const credentials = new Credentials(connection, mirror);
  const documents = new Documents(connection, chats, mirror);
  const page = new StatusPage(connection, mirror, context.extensionUri);
  const models = new LanguageModels(chats, mirror);
  const icon = vscode.Uri.joinPath(context.extensionUri, "media", "icon.png");
  const participant = new Participant(connection, chats, mirror, picker, icon);

  context.subscriptions.push(
    ...[log, connection, mirror, status, chats, credentials, documents, page, models, participant],
    registerCommands({ connection, picker, credentials, documents, page, log }),
    vscode.lm.registerLanguageModelChatProvider("pointsman", models),
    vscode.workspace.onDidGrantWorkspaceTrust(() => connection?.restart()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("pointsman.executable")) {
        void connection?.restart();
      }
    }),
  );
  void connection.keep();
  log.info(`activated in ${Math.round(LOADING + performance.now() - called)} ms`);
  return { connection, mirror, chats };
}

export async function deactivate(): Promise<void> {
  await connection?.close();
}

/** How long the code took to load. What VS Code does between that and the activation is not the extension's own time. */
const LOADING = performance.now() - began;
