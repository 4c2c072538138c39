// `pointsman.toml`: opened where there is none, written, a mistake on its line as it is saved, and mended.
import fs from "node:fs";
import path from "node:path";
import { given, scenario, until } from "../workbench.mjs";

const file = path.join(given.data, "pointsman.toml");

await scenario({ settings: { "editor.acceptSuggestionOnEnter": "off", "editor.autoClosingQuotes": "never", "editor.autoClosingBrackets": "never" } }, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model/);
  await window.command("Pointsman: Open Configuration");
  await until("the template", async () => /Pointsman's configuration/.test(await window.bodyText()));
  await window.shot("configuration-new");
  const keyboard = window.page.keyboard;
  await keyboard.press("Control+End");
  await keyboard.type('default = "echo:slow"\n[alliases]\nfast = "echo:echo"\n');
  await keyboard.press("Control+s");
  await until("the file", () => fs.existsSync(file));
  const squiggle = window.page.locator(".squiggly-error, .squiggly-warning");
  await squiggle.first().waitFor();
  await window.command("Problems: Focus on Problems View");
  const problem = window.page.locator(".markers-panel .monaco-list-row", { hasText: /alliases/ }).first();
  await problem.waitFor();
  const said = await problem.innerText();
  await window.shot("configuration-mistake");
  await problem.dblclick();
  await keyboard.press("Escape");
  await window.page.locator(".monaco-editor.focused").waitFor();
  fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("alliases", "aliases"));
  await until("no mistake", async () => (await squiggle.count()) === 0);
  await window.shows(/slow ·/);
  await window.status.click();
  await window.row("fast").waitFor();
  await window.shot("configuration-mended");
  await keyboard.press("Escape");
  return { said, text: fs.readFileSync(file, "utf8") };
});
