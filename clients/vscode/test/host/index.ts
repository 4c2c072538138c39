/** Runs inside a real extension host, where VS Code's own classes are. */

import * as assert from "node:assert/strict";
import type MochaNS from "mocha";
import * as mochaModule from "mocha";
import * as vscode from "vscode";

// mocha 12 is a module with a default export; older ones are the class itself.
const Mocha = ((mochaModule as { default?: unknown }).default ?? mochaModule) as typeof MochaNS;

export async function run(): Promise<void> {
  const lines: string[] = [];
  const mocha = new Mocha({
    ui: "bdd",
    timeout: 20_000,
    reporter: class {
      constructor(runner: MochaNS.Runner) {
        runner.on("pass", (test) => lines.push(`ok ${test.title}`));
        runner.on("fail", (test, error) => lines.push(`not ok ${test.title}: ${error?.stack ?? error}`));
      }
    } as never,
  });
  mocha.suite.emit("pre-require", globalThis, "host", mocha);
  declare();
  const failures = await new Promise<number>((resolve) => mocha.run(resolve));
  const report = process.env.POINTSMAN_HOST_REPORT;
  if (report) {
    const { renameSync, writeFileSync } = await import("node:fs");
    writeFileSync(`${report}.part`, JSON.stringify({ vscode: vscode.version, failures, lines }));
    renameSync(`${report}.part`, report); // whoever waits for it never sees half of it
  }
  if (failures) {
    throw new Error(lines.join("\n"));
  }
}

interface Api {
  connection: { ready(): Promise<boolean>; request(method: string, params: object): Promise<Record<string, unknown>> };
}

const ask = async (
  id: string,
  messages: vscode.LanguageModelChatMessage[],
  options = {},
  token?: vscode.CancellationToken,
) => {
  const [model] = await vscode.lm.selectChatModels({ vendor: "pointsman", id });
  assert.ok(model, `there is no model ${id}`);
  return model.sendRequest(messages, options, token);
};
const user = (text: string) => [vscode.LanguageModelChatMessage.User(text)];

function declare(): void {
  describe("Pointsman in the extension host", () => {
    let api: Api;

    before(async () => {
      const extension = vscode.extensions.getExtension<Api>("pointsman.pointsman");
      assert.ok(extension);
      api = await extension.activate();
      assert.ok(await api.connection.ready());
      await api.connection.request("pointsman/switchModel", { model: "echo:echo", scope: "global" });
    });

    it("has every command that it names, and no other", async () => {
      const named = vscode.extensions
        .getExtension("pointsman.pointsman")
        ?.packageJSON.contributes.commands.map(({ command }: { command: string }) => command);
      const own = (await vscode.commands.getCommands(true)).filter((id) => /^pointsman\.\w+$/.test(id));
      assert.deepEqual(own.filter((id) => id !== "pointsman.status.focus").sort(), [...named].sort());
    });

    it("offers the current model first, and those that can be used", async () => {
      const models = await vscode.lm.selectChatModels({ vendor: "pointsman" });
      assert.equal(models[0]?.id, "current");
      assert.ok(models.some(({ id }) => id === "echo:slow"));
      assert.ok(!models.some(({ id }) => id.startsWith("openai:")), "without a key it is no model to choose");
    });

    it("streams", async () => {
      const pieces: string[] = [];
      for await (const piece of (await ask("current", user("one two three"))).text) {
        pieces.push(piece);
      }
      assert.match(pieces.join(""), /You said: one two three/);
      assert.ok(pieces.length > 3, `${pieces.length} pieces`);
    });

    it("follows a change of the current model", async () => {
      await api.connection.request("pointsman/switchModel", { model: "echo:slow", scope: "window" });
      const began = Date.now();
      for await (const _ of (await ask("current", user("x"))).text) {
        // Read to its end.
      }
      assert.ok(Date.now() - began > 1000, "the slow one answered");
      await api.connection.request("pointsman/switchModel", { model: null, scope: "window" });
    });

    it("cancels", async () => {
      const source = new vscode.CancellationTokenSource();
      let pieces = 0;
      try {
        for await (const _ of (await ask("echo:slow", user("a b c d e f g h i j k l m n o p"), {}, source.token))
          .text) {
          if (++pieces === 2) {
            source.cancel();
          }
        }
      } catch {
        // VS Code may end the stream with an error of its own.
      }
      assert.ok(pieces < 10, `${pieces} pieces`);
      const { chats } = (await api.connection.request("pointsman/listChats", {})) as { chats: { reason: string }[] };
      assert.equal(chats[0]?.reason, "cancelled");
    });

    it("says by its class and its code what kind of error it is, and in words what to do", async () => {
      await api.connection.request("pointsman/setAlias", { alias: "nowhere", model: "openai:gpt-4" });
      await api.connection.request("pointsman/switchModel", { model: "echo:slow", scope: "global" });
      const failed = await (async () => {
        for (let tries = 0; tries < 50; tries++) {
          if ((await vscode.lm.selectChatModels({ vendor: "pointsman", id: "nowhere" })).length) {
            break;
          }
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        for await (const _ of (await ask("nowhere", user("x"))).text) {
          // It fails before that.
        }
      })().then(
        () => undefined,
        (error) => error,
      );
      assert.ok(failed instanceof vscode.LanguageModelError, String(failed));
      assert.equal(failed?.code, vscode.LanguageModelError.NoPermissions.name);
      assert.match(failed.message, /key/i);
    });

    it("restarts, and is back", async () => {
      const { clients } = (await api.connection.request("pointsman/status", {})) as { clients: { windowId: string }[] };
      await vscode.commands.executeCommand("pointsman.restart");
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(await api.connection.ready());
      const after = (await api.connection.request("pointsman/status", {})) as { clients: typeof clients };
      assert.deepEqual(
        after.clients.map(({ windowId }) => windowId),
        clients.map(({ windowId }) => windowId),
      );
    });

    it("counts tokens", async () => {
      const [model] = await vscode.lm.selectChatModels({ vendor: "pointsman", id: "current" });
      assert.equal(await model?.countTokens("12345678"), 2);
    });

    it("shows where a name leads, in a file that nobody can write", async () => {
      await vscode.commands.executeCommand("pointsman.explainRoute", "echo:echo");
      const document = vscode.window.activeTextEditor?.document;
      assert.equal(document?.languageId, "markdown");
      assert.match(document?.getText() ?? "", /Where echo:echo leads/);
    });
  });
}
