// The status page: cards, a test of a connection, running chats and what is on trial, as they change.
import { Raw } from "../raw.mjs";
import { scenario, until } from "../workbench.mjs";

await scenario({ settings: { "workbench.colorTheme": "Default Dark Modern" } }, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|·/);
  const raw = await Raw.open();
  await raw.request("pointsman/switchModel", { model: "echo:slow", scope: "global" });
  await window.command("Pointsman: Providers and Status");
  const page = await window.webview("#providers");
  const heading = await page.locator("h1").innerText();
  const asked = raw.request("pointsman/chat", { messages: [{ role: "user", content: "one two three four five six seven" }] });
  const running = await until("the running chat", async () => (await page.locator("#chats li").count()) === 1);
  await window.shot("status-page");
  const card = page.locator("#providers .card", { hasText: "Echo" });
  await card.locator("button", { hasText: "Test connection" }).click();
  const tested = await until("the test's end", async () => {
    const said = card.locator(".test");
    return (await said.count()) ? said.innerText() : "";
  });
  const focused = await page.locator("body").evaluate(() => document.activeElement?.textContent);
  await window.shot("status-page-tested");
  await asked;
  await until("the chat's end", async () => (await page.locator("#chats li").count()) === 0);
  const violations = window.all.filter((text) => /Content Security Policy/i.test(text) && /pointsman/i.test(text));
  const unnamed = await page.locator("button:not([aria-label])").evaluateAll((found) => found.filter((each) => !each.textContent.trim()).length);
  raw.close();
  return { heading, running: running.ms, tested: tested.found, focused, violations, unnamed };
});
