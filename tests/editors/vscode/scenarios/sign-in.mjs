// Show 6: the extension's button leads to the provider's page in a browser, and back; or shows a code.
import { Raw } from "../raw.mjs";
import { given, scenario, until } from "../workbench.mjs";

await scenario({ settings: { "pointsman.signIn": given.flow } }, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|Corp/);
  await window.command("Pointsman: Providers and Status");
  const status = await window.webview("#providers");
  const isPage = (request) => /\/oauth\/authorize\?/.test(request.url());
  const context = window.page.context();
  const opened = given.flow === "browser" && context.waitForEvent("request", { predicate: isPage, timeout: 60_000 });
  await status.locator(".card", { hasText: "Corp" }).locator("button", { hasText: "Sign in" }).click();
  const { page, code } = given.flow === "device" ? await otherDevice(window) : await browser(window, opened);
  await signIn(page);
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
  return { code, account: accounts[0], card: access.found, reply };
});

/** VS Code asks before it opens a page, unless it is one of this machine. */
async function browser(window, opened) {
  const asks = window.page.locator(".monaco-dialog-box .monaco-button", { hasText: /^Open$/ });
  void asks.click({ timeout: 20_000 }).catch(() => undefined);
  // code-server leads addresses of this machine through itself, where a page of somebody else's finds no cookie again.
  const address = (await opened).url().replace(/127\.0\.0\.1:\d+\/proxy\/(\d+)/, "127.0.0.1:$1");
  const page = await window.page.context().newPage();
  await page.goto(address);
  return { page };
}

/** The code is typed in by a browser that knows nothing of this one. */
async function otherDevice(window) {
  const shown = window.notification("enter the code");
  await shown.waitFor();
  await window.shot("6-device-code");
  const [, code, url] = /code (\S+) at (\S+)/.exec(await shown.innerText());
  await shown.locator(".monaco-button", { hasText: /^Copy Code$/ }).click();
  const context = await window.page.context().browser().newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.locator("input[name=user_code]").fill(code);
  await page.locator("button[type=submit]").first().click();
  return { page, code };
}

async function signIn(page) {
  for (let step = 0; step < 8; step++) {
    await page.waitForLoadState();
    const button = page.locator("button[type=submit], input[type=submit]").first();
    if (!(await button.count())) {
      return;
    }
    if (await page.locator("input[name=login]").count()) {
      await page.locator("input[name=login]").fill("alice");
      await page.locator("input[name=password]").fill("any");
    }
    await button.click();
    await page.waitForTimeout(300);
  }
}
