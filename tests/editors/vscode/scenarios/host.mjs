// The tests that run inside the extension host, in a real one.
import fs from "node:fs";
import path from "node:path";
import { given, scenario, until, Window } from "../workbench.mjs";

const report = path.join(given.home, "report.json");
const remote = (file) => `vscode-remote://remote${file}`;
Window.prototype.before = async (page) => {
  await page.exposeFunction("codeAutomationExit", () => undefined);
  await page.exposeFunction("codeAutomationLog", () => undefined);
};
const options = { args: ["--vscode-option", "enable-smoke-test-driver"], env: { POINTSMAN_HOST_REPORT: report } };

await scenario(options, async ({ open }) => {
  await open([
    ["extensionDevelopmentPath", remote(given.client)],
    ["extensionTestsPath", remote(path.join(given.client, "out/host"))],
  ]);
  await until("the report", () => fs.existsSync(report), 90);
  return JSON.parse(fs.readFileSync(report, "utf8"));
});
