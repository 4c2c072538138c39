// Restricted Mode: the extension works, and the folder's own file is not read.
import fs from "node:fs";
import path from "node:path";
import { given, scenario, until } from "../workbench.mjs";

const folder = path.join(given.home, "folder");
fs.mkdirSync(folder, { recursive: true });
fs.writeFileSync(path.join(folder, ".pointsman.toml"), 'default = "echo:slow"\n');

await scenario({ trust: false, settings: { "security.workspace.trust.startupPrompt": "never" } }, async ({ open }) => {
  const window = await open();
  const status = (await window.shows(/Choose a model/)).found;
  await window.shot("restricted");
  const restricted = await window.page.locator(".statusbar-item", { hasText: "Restricted Mode" }).count();
  await window.status.click();
  await window.type("echo offline");
  await window.row("echo").waitFor();
  await window.page.keyboard.press("Enter");
  await window.shows(/echo/);
  await window.command("Pointsman: Ask");
  await window.type("hello");
  await window.page.keyboard.press("Enter");
  await until("an answer", async () => /You said: hello/.test(await window.bodyText()));
  return { status, restricted };
});
