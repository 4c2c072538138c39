// Show 6: the extension's button leads to the provider's page in a browser, and back; or shows a code.
import { Raw } from "../raw.mjs";
import { given, scenario, until } from "../workbench.mjs";

await scenario({ settings: { "pointsman.signIn": given.flow } }, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|Corp/);
  await window.command("Pointsman: Providers and Status");
  const status = await window.webview("#providers");
  const opened = window.page.context().waitForEvent("page", { timeout: 30_000 });
  await status.locator(".card", { hasText: "Corp" }).locator("button", { hasText: "Sign in" }).click();
  let code;
  if (given.flow === "device") {
    const shown = window.notification("enter the code");
    await shown.waitFor();
    await window.shot("6-device-code");
    const text = await shown.innerText();
    code = /code (\S+) at (\S+)/.exec(text);
    await shown.locator(".monaco-button", { hasText: "Copy Code and Open Page" }).click();
  }
  // VS Code asks before it opens a page, unless it is one of this machine.
  const asks = window.page.locator(".monaco-dialog-box .monaco-button", { hasText: /^Open$/ });
  void asks.click({ timeout: 30_000 }).catch(() => undefined);
  const page = await opened;
  await page.waitForLoadState();
  const visited = [page.url()];
  for (let step = 0; step < 8 && !/callback|signed in|Signed in/i.test(page.url()); step++) {
    const login = page.locator("input[name=login]");
    const button = page.locator("button[type=submit], input[type=submit]").first();
    if (await login.count()) {
      await login.fill("alice");
      await page.locator("input[name=password]").fill("any");
    }
    if (!(await button.count())) {
      break;
    }
    await button.click();
    await page.waitForLoadState();
    visited.push(page.url());
  }
  await page.screenshot({ path: `${given.shots}/6-${given.flow}-landing.png` });
  await window.notification("Signed in to Corp").waitFor({ timeout: 20_000 });
  const access = await until("the card knows the account", async () =>
    (await status.locator(".card", { hasText: "Corp" }).innerText()).includes("🔐"),
  );
  await window.shot(`6-${given.flow}-signed-in`);
  const raw = await Raw.open();
  await raw.request("pointsman/switchModel", { model: "corp:small", scope: "global" });
  await window.shows(/small · Corp/);
  const reply = await raw.request("pointsman/chat", { messages: [{ role: "user", content: "hello" }] }).catch((error) => ({ error: String(error) }));
  const { accounts } = await raw.request("pointsman/listAccounts");
  await window.shot(`6-${given.flow}-status-bar`);
  raw.close();
  return { code: code?.[1], account: accounts[0], card: access.found, reply, visited };
});
