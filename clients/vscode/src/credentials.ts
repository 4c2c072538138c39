/** Keys, sign-ins and temporary sessions, as a person gives them. Must never keep, show or log a key. */

import * as vscode from "vscode";
import type { Connection } from "./connection";
import { type Failure, failureOf } from "./failure";
import { accessOf, lookOf, signsIn, takesKey } from "./health";
import type { Mirror, Provider } from "./mirror";
import type { AccountInfo, KeyTrial, SignInCode } from "./protocol";
import { orSayError } from "./say";

const TRIAL_MINUTES = 30;

export class Credentials implements vscode.Disposable {
  private readonly listening: vscode.Disposable;
  /** What is shown while somebody signs in, by the provider. */
  private readonly signingIn = new Map<string, vscode.Progress<{ message?: string }>>();

  constructor(
    private readonly connection: Connection,
    private readonly mirror: Mirror,
  ) {
    this.listening = connection.on("pointsman/signInCode", (code) => void this.showTheWay(code));
  }

  /** Asks for a key and has it stored, after it was tried. */
  async addKey(id?: string): Promise<void> {
    const provider = await this.choose("Add a key for which provider?", takesKey, id);
    for (let key = provider && (await this.askForKey(provider, "Add Key")); provider && key; ) {
      const refusal = await this.store(provider, key, true);
      if (!refusal) {
        return;
      }
      const again = "Enter Again";
      const anyway = "Save Anyway";
      // The daemon's advice is how a command line says the second of these.
      const picked = await vscode.window.showErrorMessage(refusal.data.message, again, anyway);
      if (picked === anyway) {
        const failure = await this.store(provider, key, false);
        if (failure) {
          throw failure;
        }
        return;
      }
      key = picked === again ? await this.askForKey(provider, "Add Key") : undefined;
    }
  }

  /** Signs in; the daemon says which page is to be opened, or which code to be typed. */
  async signIn(id?: string): Promise<void> {
    const provider = await this.choose("Sign in to which provider?", signsIn, id);
    if (!provider) {
      return;
    }
    const way = vscode.workspace.getConfiguration("pointsman").get<"auto" | "browser" | "device">("signIn", "auto");
    const flow = way === "auto" ? {} : { flow: way };
    const account = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: `Signing in to ${provider.name}`, cancellable: true },
      async (progress, token) => {
        progress.report({ message: "finish it on the page that opens" });
        this.signingIn.set(provider.id, progress);
        try {
          return await this.connection.request("pointsman/signIn", { provider: provider.id, ...flow }, token);
        } finally {
          this.signingIn.delete(provider.id);
        }
      },
    );
    await this.mirror.loadProviders();
    void vscode.window.showInformationMessage(`Signed in to ${provider.name} as ${account.account}.`);
  }

  /** Signs an account out; which one is asked where it is not clear. */
  async signOut(id?: string): Promise<void> {
    const { accounts } = await this.connection.request("pointsman/listAccounts", {});
    const fitting = accounts.filter(({ provider }) => id === undefined || provider === id);
    const account = id !== undefined && fitting.length === 1 ? fitting[0] : await this.chooseAccount(fitting);
    if (!account) {
      return;
    }
    const done = await this.connection.request("pointsman/signOut", {
      provider: account.provider,
      account: account.id,
    });
    const rest = done.error ? ` ${done.error.message} ${done.error.advice}` : "";
    const name = this.mirror.provider(account.provider)?.name ?? account.provider;
    void vscode.window.showInformationMessage(`Signed out of ${name} (${account.account}).${rest}`);
  }

  /** A key for this window and half an hour. Gives what was begun, in words; undefined where no key was typed. */
  async tryKey(id?: string): Promise<string | undefined> {
    const provider = await this.choose(`Try a key for ${TRIAL_MINUTES} minutes with which provider?`, takesKey, id);
    const key = provider && (await this.askForKey(provider, `Try a Key for ${TRIAL_MINUTES} Minutes`));
    if (!provider || !key) {
      return undefined;
    }
    const begun = await this.connection.request("pointsman/createSession", {
      provider: provider.id,
      credentials: key,
      minutes: TRIAL_MINUTES,
    });
    await this.connection.request("pointsman/activateSession", { token: begun.token, scope: "window" });
    const text = `This window asks ${provider.name} with ${begun.account} for ${TRIAL_MINUTES} minutes. The key is kept in memory alone.`;
    const end = "End Now";
    void vscode.window.showInformationMessage(text, end).then(async (picked) => {
      if (picked === end) {
        await orSayError(() => this.connection.request("pointsman/clearSession", { id: begun.id }));
      }
    });
    return text;
  }

  dispose(): void {
    this.listening.dispose();
  }

  private async store(provider: Provider, key: string, test: boolean): Promise<Failure | undefined> {
    try {
      const title = test ? `Trying the key at ${provider.name}` : `Saving the key for ${provider.name}`;
      // Not as a notification: of many in a second VS Code shows but three, and the one that counts comes after this.
      const stored = await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, () =>
        this.connection.request("pointsman/setKey", { provider: provider.id, key, test }),
      );
      await this.mirror.load();
      const switchNow = "Switch Model";
      const mask = stored.key.account ? ` (${stored.key.account})` : "";
      const text = `The key for ${provider.name}${mask} is saved.${triedIn(stored.trial)}${shadowed(stored.variables)}`;
      void vscode.window.showInformationMessage(text, switchNow).then((picked) => {
        if (picked) {
          void vscode.commands.executeCommand("pointsman.switchModel");
        }
      });
      return undefined;
    } catch (error) {
      return failureOf(error);
    }
  }

  private async askForKey(provider: Provider, title: string): Promise<string | undefined> {
    const input = vscode.window.createInputBox();
    input.title = `${title}: ${provider.name}`;
    input.prompt = "It goes to the daemon's vault, never into settings.";
    input.placeholder = "Paste the key";
    input.password = true;
    input.ignoreFocusOut = true;
    const page = provider.links.keys;
    input.buttons = page ? [{ iconPath: new vscode.ThemeIcon("link-external"), tooltip: `Get a key: ${page}` }] : [];
    return new Promise((resolve) => {
      const listening = vscode.Disposable.from(
        input.onDidTriggerButton(() => page && void vscode.env.openExternal(vscode.Uri.parse(page))),
        input.onDidAccept(() => {
          resolve(input.value.trim() || undefined);
          input.hide();
        }),
        input.onDidHide(() => {
          resolve(undefined);
          listening.dispose();
          input.dispose();
        }),
      );
      input.show();
    });
  }

  private async choose(
    title: string,
    fits: (provider: Provider) => boolean,
    id: string | undefined,
  ): Promise<Provider | undefined> {
    await this.mirror.loaded();
    const known = this.mirror.provider(id) ?? this.named(id);
    if (known) {
      return known;
    }
    const fitting = this.mirror.view.providers.filter(fits);
    if (fitting.length === 0) {
      void vscode.window.showInformationMessage("No provider is set up for that.");
      return undefined;
    }
    const items = fitting.map((provider) => ({
      label: provider.name,
      description: accessOf(provider),
      detail: lookOf(provider, Date.now()).words,
      provider,
    }));
    const picked = await vscode.window.showQuickPick(items, { title, matchOnDescription: true, placeHolder: title });
    return picked?.provider;
  }

  /** A provider by the name that people read. */
  private named(name = ""): Provider | undefined {
    return this.mirror.view.providers.find((provider) => provider.name.toLowerCase() === name.toLowerCase());
  }

  private async chooseAccount(accounts: readonly AccountInfo[]): Promise<AccountInfo | undefined> {
    if (accounts.length === 0) {
      void vscode.window.showInformationMessage("Nobody is signed in.");
      return undefined;
    }
    const items = accounts.map((account) => ({
      label: `🔐 ${account.account}`,
      description: this.mirror.provider(account.provider)?.name ?? account.provider,
      detail: account.reason,
      account,
    }));
    return (await vscode.window.showQuickPick(items, { title: "Sign out which account?" }))?.account;
  }

  private async showTheWay({ provider, url, userCode, complete }: SignInCode): Promise<void> {
    const name = this.mirror.provider(provider)?.name ?? provider;
    if (!userCode) {
      await vscode.env.openExternal(vscode.Uri.parse(url, true));
      return;
    }
    const open = "Copy Code and Open Page";
    const copy = "Copy Code";
    // It stays in the progress after the message below is gone.
    this.signingIn.get(provider)?.report({ message: `enter ${userCode} at ${url}` });
    const text = `To sign in to ${name}, enter the code ${userCode} at ${url}`;
    const picked = await vscode.window.showInformationMessage(text, open, copy);
    if (picked) {
      await vscode.env.clipboard.writeText(userCode);
    }
    if (picked === open) {
      await vscode.env.openExternal(vscode.Uri.parse(complete ?? url, true));
    }
  }
}

function triedIn(trial: KeyTrial | undefined): string {
  return trial ? ` It was tried in ${trial.milliseconds} ms.` : "";
}

function shadowed(variables: readonly string[] | undefined): string {
  return variables?.length
    ? ` ${variables.join(" and ")} in the environment ${variables.length > 1 ? "hold" : "holds"} one, too.`
    : "";
}
