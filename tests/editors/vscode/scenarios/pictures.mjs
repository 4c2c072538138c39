// The pictures of the README and docs/vscode.md: `test_vscode.py -k pictures` makes them anew in `shots/`.
import { ChatView } from "../chat.mjs";
import { Raw } from "../raw.mjs";
import { scenario, until } from "../workbench.mjs";

// No provider is reached with these: what is shown is what comes with Pointsman.
const KEYS = { ANTHROPIC_API_KEY: "for-a-picture", OPENROUTER_API_KEY_1: "one", OPENROUTER_API_KEY_2: "two" };

await scenario({ env: KEYS, settings: { "window.commandCenter": false } }, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|·/);
  const raw = await Raw.open();
  await window.status.click();
  await window.row("$2 in").waitFor({ timeout: 30_000 });
  await window.choose("claude-sonnet-5-5");
  await window.shows(/Anthropic/);
  await window.status.click();
  await window.row("$2 in").waitFor();
  await window.shot("vscode-models");
  await window.page.keyboard.press("Escape");
  await window.command("Pointsman: Providers and Status");
  const page = await window.webview("#providers");
  await page.locator(".card", { hasText: "Anthropic" }).first().waitFor();
  await window.page.locator(".notification-list-item").waitFor({ state: "detached" });
  await window.shot("vscode-status");
  await window.page.mouse.move(700, 600);
  await raw.request("pointsman/switchModel", { model: "echo:echo", scope: "global" });
  await window.shows(/echo/);
  await window.command("View: Close All Editors");
  await window.command("Pointsman: Ask");
  await window.type("What does a pointsman do?");
  await window.page.keyboard.press("Enter");
  await until("the answer", async () => /tokens in/.test(await window.bodyText()));
  const chat = await ChatView.open(window);
  await chat.send("@pointsman /model");
  await chat.says(/Decided by/);
  await chat.send("What is a points lever?");
  await chat.says(/tokens in/);
  await window.shot("vscode-answer");
  raw.close();
  return { answers: await chat.answers() };
});
