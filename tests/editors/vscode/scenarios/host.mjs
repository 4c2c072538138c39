// The tests that run inside the extension host, in a real one.
import fs from "node:fs";
import path from "node:path";
import { given, startBrowser, startServer, until, Window } from "../workbench.mjs";

const folder = path.join(given.home, "folder");
const report = path.join(given.home, "report.json");
fs.mkdirSync(folder, { recursive: true });
const server = await startServer({
  args: ["--vscode-option", "enable-smoke-test-driver"],
  env: { POINTSMAN_HOST_REPORT: report },
});
const browser = await startBrowser();
const remote = (file) => `vscode-remote://remote${file}`;
Window.prototype.before = async (page) => {
  await page.exposeFunction("codeAutomationExit", () => undefined);
  await page.exposeFunction("codeAutomationLog", () => undefined);
};
try {
  await Window.open(server, browser, folder, [
    ["extensionDevelopmentPath", remote(given.client)],
    ["extensionTestsPath", remote(path.join(given.client, "out/host"))],
  ]);
  await until("the report", () => fs.existsSync(report), 90);
  console.log(JSON.stringify({ ...JSON.parse(fs.readFileSync(report, "utf8")), errors: [] }));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
  server.stop();
  process.exit();
}
