/** The commands of the category Pointsman, each a few lines over what does the work. */

import * as vscode from "vscode";
import type { Connection } from "./connection";
import type { Credentials } from "./credentials";
import type { Documents } from "./documents";
import type { Picker } from "./picker";
import type { ChatSummary } from "./protocol";
import { orSayError } from "./say";
import type { StatusPage } from "./status-page";

export interface Rooms {
  connection: Connection;
  picker: Picker;
  credentials: Credentials;
  documents: Documents;
  page: StatusPage;
  log: vscode.LogOutputChannel;
}

type Command = (argument?: unknown) => Promise<unknown>;

export function registerCommands(rooms: Rooms): vscode.Disposable {
  const { connection, picker, credentials, documents, page, log } = rooms;
  const commands: Readonly<Record<string, Command>> = {
    switchModel: () => picker.show(),
    ask: (question) => ask(documents, name(question)),
    askAboutSelection: () => askAboutSelection(documents),
    explainRoute: (model) => documents.explain(name(model)),
    addKey: (provider) => credentials.addKey(name(provider)),
    signIn: (provider) => credentials.signIn(name(provider)),
    signOut: (provider) => credentials.signOut(name(provider)),
    tryKey: (provider) => credentials.tryKey(name(provider)),
    status: async () => page.show(),
    usage: async () => page.show("usage"),
    showChats: () => showChats(connection, documents),
    openConfiguration: () => openConfiguration(connection),
    restart: () => connection.restart(),
    showLog: async () => log.show(),
    cancelAnswer: async () => documents.stop(),
    install: () => install(connection),
  };
  return vscode.Disposable.from(
    ...Object.entries(commands).map(([id, run]) =>
      vscode.commands.registerCommand(`pointsman.${id}`, (argument?: unknown) => orSayError(() => run(argument))),
    ),
  );
}

/** What a command was given, if that is a name: menus give other things. */
function name(argument: unknown): string | undefined {
  return typeof argument === "string" && argument ? argument : undefined;
}

async function ask(documents: Documents, given: string | undefined): Promise<void> {
  const question =
    given ?? (await vscode.window.showInputBox({ title: "Pointsman: Ask", prompt: "What do you want to know?" }));
  if (question?.trim()) {
    await documents.ask(question);
  }
}

async function askAboutSelection(documents: Documents): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const code = editor?.document.getText(editor.selection);
  if (!editor || !code) {
    void vscode.window.showInformationMessage("Select something to ask about.");
    return;
  }
  const question = await vscode.window.showInputBox({
    title: "Pointsman: Ask About Selection",
    prompt: "What do you want to know about it?",
    value: "Explain this.",
  });
  if (question?.trim()) {
    const file = vscode.workspace.asRelativePath(editor.document.uri);
    const fence = "`".repeat(Math.max(3, ...[...code.matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)));
    const where = `${file}, lines ${editor.selection.start.line + 1} to ${editor.selection.end.line + 1}`;
    const content = `${question}\n\nFrom ${where}:\n\n${fence}${editor.document.languageId}\n${code}\n${fence}`;
    await documents.ask(question, { messages: [{ role: "user", content }] }, vscode.ViewColumn.Beside);
  }
}

const STOP: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon("debug-stop"),
  tooltip: "Stop it for everybody",
};

async function showChats(connection: Connection, documents: Documents): Promise<void> {
  const { chats } = await connection.request("pointsman/listChats", {});
  if (chats.length === 0) {
    void vscode.window.showInformationMessage("No editor has a chat.");
    return;
  }
  const pick = vscode.window.createQuickPick<vscode.QuickPickItem & { chat: ChatSummary }>();
  pick.title = "Running Chats";
  pick.placeholder = "Choose one to watch it here";
  pick.matchOnDescription = true;
  pick.items = chats.map((chat) => ({
    label: `$(${chat.state === "running" ? "loading~spin" : "check"}) ${chat.title || "Chat"}`,
    description: `${chat.client} · ${chat.model}`,
    detail: `${chat.state}${chat.reason ? `, ${chat.reason}` : ""} · ${new Date(chat.startedAt).toLocaleTimeString()}`,
    buttons: chat.state === "running" ? [STOP] : [],
    chat,
  }));
  pick.onDidTriggerItemButton(({ item }) => {
    void orSayError(() => connection.request("pointsman/cancelChat", { chatId: item.chat.chatId }));
    pick.hide();
  });
  pick.onDidAccept(() => {
    const chat = pick.activeItems[0]?.chat;
    pick.hide();
    if (chat) {
      void orSayError(() => documents.showChat(chat.chatId, chat.title));
    }
  });
  pick.onDidHide(() => pick.dispose());
  pick.show();
}

const TEMPLATE = `# Pointsman's configuration. What may stand here: docs/configuration.md
# default = "openrouter:claude-sonnet-4"

# [aliases]
# sonnet = "openrouter:claude-sonnet-4"
`;

async function openConfiguration(connection: Connection): Promise<void> {
  const { configFile } = await connection.request("pointsman/status", {});
  const file = vscode.Uri.file(configFile);
  const isThere = await vscode.workspace.fs.stat(file).then(
    () => true,
    () => false,
  );
  const document = await vscode.workspace.openTextDocument(isThere ? file : file.with({ scheme: "untitled" }));
  const editor = await vscode.window.showTextDocument(document);
  if (!isThere && document.getText() === "") {
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), TEMPLATE));
  }
}

const WAYS: Readonly<Record<string, string>> = {
  "pipx install pointsman": "pipx",
  "uv tool install pointsman": "uv",
};

/** Offers to install the program in a terminal, where the person sees what is done. Nothing is run unasked. */
async function install(connection: Connection): Promise<void> {
  if (await connection.ready()) {
    void vscode.window.showInformationMessage("Pointsman is installed, and answers.");
    return;
  }
  const settings = "Set the Path";
  const picked = await vscode.window.showInformationMessage(connection.problem, ...Object.values(WAYS), settings);
  if (picked === settings) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "pointsman.executable");
    return;
  }
  const line = Object.keys(WAYS).find((each) => WAYS[each] === picked);
  if (line) {
    const terminal = vscode.window.createTerminal("Install Pointsman");
    terminal.show();
    terminal.sendText(line);
  }
}
