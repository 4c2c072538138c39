// Show 1: no daemon runs, nothing is set up; the model is shown or invited to, and the offline one answers.
import fs from "node:fs";
import path from "node:path";
import { given, scenario, until } from "../workbench.mjs";

await scenario({}, async ({ server, open }) => {
  const began = Date.now();
  const window = await open();
  const workbench = Date.now() - began;
  await window.shows(/Choose a model/, 20);
  const shown = Date.now();
  await window.shot("1-invites");
  await window.status.click();
  await window.row("slow").waitFor();
  await window.shot("1-picker");
  await window.type("echo offline");
  await window.row("echo").waitFor();
  await window.page.keyboard.press("Enter");
  const chosen = await window.shows(/echo/);
  await window.command("Pointsman: Ask");
  await window.type("What is a pointsman?");
  await window.page.keyboard.press("Enter");
  const last = /You said: What is a pointsman\?[\s\S]*tokens in/;
  await until("the whole answer", async () => last.test(await window.bodyText()));
  const text = await window.bodyText();
  await window.shot("1-answer");
  await window.command("Developer: Show Running Extensions");
  const row = window.page.locator(".runtime-extensions-editor .monaco-list-row", { hasText: "Pointsman" }).first();
  await row.waitFor();
  const measured = (await row.innerText()).replaceAll("\u00a0", " ");
  await window.shot("7-activation");
  const log = logOf(server.dir);
  return {
    workbench,
    shown: shown - at(log, /\[info\] activated/),
    chosen: chosen.found,
    answered: last.test(text),
    text,
    own: Number(/activated in (\d+) ms/.exec(log)?.[1] ?? -1),
    // VS Code's own figure has what it takes to load the code, too.
    activation: Number(/(?:Activation|Startup Activation)\D*(\d+) ?ms/.exec(measured)?.[1] ?? -1),
    measured,
    connected: at(log, /\[info\] connected/) - at(log, /\[info\] activated/),
    home: fs.readdirSync(given.data),
  };
});

function logOf(dir) {
  const found = fs.readdirSync(path.join(dir, "ud"), { recursive: true }).find((each) => each.endsWith("Pointsman.log"));
  return found ? fs.readFileSync(path.join(dir, "ud", found), "utf8") : "";
}

/** When a line was written, in milliseconds since 1970. */
function at(log, pattern) {
  const line = log.split("\n").find((each) => pattern.test(each));
  return line ? Date.parse(line.slice(0, 23).replace(" ", "T")) : Number.NaN;
}
