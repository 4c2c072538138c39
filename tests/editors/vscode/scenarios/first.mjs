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
  const measured = [await activation(window)];
  await window.shot("7-activation");
  while (measured.length < 3) {
    await window.page.keyboard.press("Escape"); // the list lies over the window, and lets no command through
    await window.reload();
    await window.shows(/echo/);
    measured.push(await activation(window));
  }
  const logs = logsOf(server.dir);
  const log = logs.sort()[0]; // that of the first start: each line begins with its time
  return {
    workbench,
    shown: shown - at(log, /\[info\] activated/),
    chosen: chosen.found,
    answered: last.test(text),
    text,
    own: logs.map((each) => Number(/activated in (\d+) ms/.exec(each)?.[1])),
    measured,
    connected: at(log, /\[info\] connected/) - at(log, /\[info\] activated/),
    home: fs.readdirSync(given.data),
  };
});

/** VS Code's own figure in milliseconds, in which stands what other extensions do at the same time, too. */
async function activation(window) {
  await window.command("Developer: Show Running Extensions");
  const row = window.page.locator(".runtime-extensions-editor .monaco-list-row", { hasText: "Pointsman" }).first();
  await row.waitFor();
  const said = (await row.innerText()).replaceAll("\u00a0", " ");
  return Number(/Activation\D*(\d+) ?ms/.exec(said)?.[1] ?? Number.NaN);
}

/** What the extension has logged, each start of it. */
function logsOf(dir) {
  const files = fs.readdirSync(path.join(dir, "ud"), { recursive: true }).filter((each) => each.endsWith("Pointsman.log"));
  return files.map((file) => fs.readFileSync(path.join(dir, "ud", file), "utf8"));
}

/** When a line was written, in milliseconds since 1970. */
function at(log, pattern) {
  const line = log.split("\n").find((each) => pattern.test(each));
  return line ? Date.parse(line.slice(0, 23).replace(" ", "T")) : Number.NaN;
}
