// Show 6: the extension's button leads to the provider's page in a browser, and back; or shows a code. And out again.
import { byBrowser, byCode, signIn } from "../accounts.mjs";
import { Raw } from "../raw.mjs";
import { given, scenario, until } from "../workbench.mjs";

// code-server's windows are remote ones: there, `auto` is a code.
const flow = given.flow === "browser" ? "browser" : "device";

await scenario({ settings: { "pointsman.signIn": given.flow } }, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|Corp/);
  await window.command("Pointsman: Providers and Status");
  const status = await window.webview("#providers");
  const card = status.locator(".card", { hasText: "Corp" });
  const { page, code } = flow === "device" ? await byCode(window, card) : await byBrowser(window, card);
  await signIn(page);
  await page.screenshot({ path: `${given.shots}/6-${flow}-landing.png` });
  const landing = await page.locator("body").innerText();
  await page.close();
  const told = window.notification("Signed in to Corp");
  await told.waitFor({ timeout: 20_000 });
  const notified = await told.innerText();
  const access = await until("the card knows the account", async () => {
    const text = await card.innerText();
    return text.includes("🔐") && text;
  });
  await window.shot(`6-${flow}-signed-in`);
  const raw = await Raw.open();
  await raw.request("pointsman/switchModel", { model: "corp:small", scope: "global" });
  await window.shows(/small · Corp/);
  const reply = await raw.request("pointsman/chat", { messages: [{ role: "user", content: "hello" }] });
  const { accounts } = await raw.request("pointsman/listAccounts");
  await window.shot(`6-${flow}-status-bar`);

  await window.command("Pointsman: Sign Out");
  await window.row("🔐").waitFor();
  await window.shot(`6-${flow}-sign-out`);
  await window.page.keyboard.press("Enter");
  const out = window.notification("Signed out");
  await out.waitFor();
  const signedOut = await out.innerText();
  const label = await until("the status bar knows", async () => {
    const said = await window.status.locator("a").getAttribute("aria-label");
    return /sign/.test(said) && said;
  });
  const after = (await raw.request("pointsman/listAccounts")).accounts;
  await window.shot(`6-${flow}-signed-out`);
  raw.close();
  return { code, notified, landing, account: accounts[0], card: access.found, reply, signedOut, after, label: label.found };
});
