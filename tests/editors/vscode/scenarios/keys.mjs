// A key is added, refused, typed again and used; another is tried for half an hour. All of it as a person does it.
import fs from "node:fs";
import path from "node:path";
import { ChatView } from "../chat.mjs";
import { Raw } from "../raw.mjs";
import { scenario, until } from "../workbench.mjs";

await scenario({}, async ({ server, open }) => {
  const window = await open();
  await window.shows(/Choose a model|Shop/);
  const raw = await Raw.open();
  const keyboard = window.page.keyboard;
  const secret = window.page.locator(".quick-input-widget input[type=password]");
  const type = async (key) => {
    await secret.waitFor();
    await keyboard.type(key);
    await keyboard.press("Enter");
  };

  await window.status.click();
  await window.choose("Shop", "add a key");
  await secret.waitFor();
  await window.shot("keys-asked-for");
  await type("sk-wrong-0000");
  const refusal = window.notification("Enter Again");
  await refusal.waitFor();
  const refused = await refusal.innerText();
  await window.shot("keys-refused");
  await refusal.locator(".monaco-button", { hasText: "Enter Again" }).click();
  await type("sk-right-1111");
  const kept = window.notification("is saved");
  await kept.waitFor();
  const saved = await kept.innerText();
  await window.shot("keys-saved");
  await kept.locator(".monaco-button", { hasText: "Switch Model" }).click();
  await window.choose("count:3");
  await window.shows(/count:3 · Shop/);

  await window.command("Pointsman: Ask");
  await window.type("count to three");
  await keyboard.press("Enter");
  await until("the whole answer", async () => /tokens in/.test(await window.bodyText()));
  const answer = await window.bodyText();
  await window.command("Notifications: Clear All Notifications");
  await window.command("Pointsman: Usage");
  const page = await window.webview("#usage table");
  await until("the usage in view", async () => (await page.locator("#usage").boundingBox()).y < 700);
  const usage = await page.locator("#usage").innerText();
  await window.shot("usage");

  const chat = await ChatView.open(window);
  await chat.send("@pointsman /providers");
  const providers = (await chat.says(/Not set up/)).found;
  await window.shot("chat-providers");
  await chat.send("/try OpenRouter");
  await type("sk-or-v1-0123456789abcdef");
  const trial = window.notification("for 30 minutes");
  await trial.waitFor();
  const tried = (await chat.says(/asks OpenRouter/)).found;
  const sessions = (await raw.request("pointsman/listSessions")).sessions.length;
  await window.shot("chat-try");
  await trial.locator(".monaco-button", { hasText: "End Now" }).click();
  await until("it has ended", async () => (await raw.request("pointsman/listSessions")).sessions.length === 0);
  await chat.send("/model nowhere");
  const unknown = (await chat.says(/Choose[\s\S]*nowhere/)).found;
  await window.shot("chat-unknown-model");
  raw.close();
  return { refused, saved, answer, usage, providers, tried, sessions, unknown, files: filesOf(path.join(server.dir, "ud")) };
});

/** The text of every file that VS Code has written. */
function filesOf(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name), "latin1"))
    .join("\n")
    .match(/sk-(wrong|right|or-v1)-[0-9a-f]+/g);
}
