// A person who signs in at a provider's pages, in a browser of their own or in the one where VS Code runs.
import { until } from "./workbench.mjs";

/** Fills in whatever the provider's pages ask for, to the last of them. */
export async function signIn(page) {
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
    await Promise.all([page.waitForEvent("framenavigated"), button.click()]);
  }
  throw new Error(`no end to the pages, at ${page.url()}`);
}

/** Starts from the button of the status page; the page that VS Code opens for it. VS Code may ask first. */
export async function byBrowser(window, card) {
  const isPage = (request) => /\/oauth\/authorize\?/.test(request.url());
  const opened = window.page.context().waitForEvent("request", { predicate: isPage, timeout: 60_000 });
  await card.locator("button", { hasText: "Sign in" }).click();
  const asks = window.page.locator(".monaco-dialog-box .monaco-button", { hasText: /^Open$/ });
  void asks.click({ timeout: 20_000 }).catch(() => undefined);
  // code-server leads addresses of this machine through itself, where a page of somebody else's finds no cookie again.
  const address = (await opened).url().replace(/127\.0\.0\.1:\d+\/proxy\/(\d+)/, "127.0.0.1:$1");
  const page = await window.page.context().newPage();
  await page.goto(address);
  return { page };
}

/** Starts from the same button; the code that is shown is typed in by a browser that knows nothing of this one. */
export async function byCode(window, card) {
  await card.locator("button", { hasText: "Sign in" }).click();
  const shown = window.notification("enter the code");
  await shown.waitFor();
  const { found } = await until("the code and where it goes", async () => /code (\S+) at (\S+)/.exec(await shown.innerText()));
  const [, code, url] = found;
  await window.shot("6-device-code");
  await shown.locator(".monaco-button", { hasText: /^Copy Code$/ }).click();
  const context = await window.page.context().browser().newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.locator("input[name=user_code]").fill(code);
  await Promise.all([page.waitForEvent("framenavigated"), page.locator("button[type=submit]").first().click()]);
  return { page, code };
}
