// Without a mouse and without sight: what is named, in which order the keys go, and what axe finds on the status page.
// And the walkthrough, which is where somebody new begins.
import fs from "node:fs";
import path from "node:path";
import { given, scenario, until } from "../workbench.mjs";

const AXE = fs.readFileSync(path.join(given.build, "node_modules/axe-core/axe.min.js"), "utf8");

await scenario({ settings: { "workbench.colorTheme": given.theme } }, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model/);
  const { keyboard } = window.page;
  const label = () => window.status.locator("a").getAttribute("aria-label");
  const labels = [await label()];
  await window.command("Pointsman: Switch Model");
  await window.row("slow").waitFor();
  const buttons = await window.page
    .locator(".quick-input-titlebar .action-label")
    .evaluateAll((found) => found.map((each) => each.getAttribute("aria-label")));
  const rows = await window.page
    .locator(".quick-input-list .monaco-list-row")
    .evaluateAll((found) => found.map((each) => each.getAttribute("aria-label")));
  await keyboard.type("slow");
  await keyboard.press("Enter");
  await window.shows(/slow/);
  labels.push(await label());

  await window.command("Pointsman: Providers and Status");
  const page = await window.webview("#providers .card");
  await page.locator("#chats").waitFor();
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document));
  const outline = await page.locator("h1, h2").allInnerTexts();
  await window.shot(`barriers-${given.theme.replaceAll(" ", "-").toLowerCase()}`);
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent);
  await page.locator("body").evaluate(() => document.querySelector("button").focus());
  const order = [await focused()];
  for (let step = 0; step < 3; step++) {
    await keyboard.press("Tab");
    order.push(await focused());
  }
  await keyboard.press("Enter");
  const tested = await until("the test's end", async () => {
    const said = page.locator('#providers [role="status"]');
    return (await said.count()) ? said.first().innerText() : "";
  });
  order.push(await focused());

  await window.page.setViewportSize({ width: 1900, height: 1000 }); // where it is narrow, VS Code leaves the pictures out
  await window.command("Welcome: Open Walkthrough...");
  await window.choose("Get Started with Pointsman");
  const steps = window.page.locator(".getting-started-step");
  await until("its steps", async () => (await steps.count()) >= 4);
  await window.webview('h2:has-text("One daemon for all editors")'); // before that, VS Code forgets what is clicked
  await steps.nth(2).click();
  await window.webview('h2:has-text("The status bar shows")');
  await steps.nth(2).locator(".monaco-button", { hasText: "Choose a model" }).click();
  await window.row("slow").waitFor();
  await keyboard.press("Escape");
  await steps.nth(2).locator(".codicon.complete").waitFor();
  const walkthrough = await steps.allInnerTexts();
  await window.shot("walkthrough");
  return {
    ...{ labels, buttons, rows, outline, order, tested: tested.found, walkthrough },
    violations: violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 150)).join(" | ")}`),
  };
});
