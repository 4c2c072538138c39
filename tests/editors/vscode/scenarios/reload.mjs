// Show 4: the window is reloaded in the middle of an answer. The answer goes on; the choice, the sign-in and a key on
// trial are still there.
import { byCode, signIn } from "../accounts.mjs";
import { Raw } from "../raw.mjs";
import { scenario, until } from "../workbench.mjs";

const QUESTION = Array.from({ length: 48 }, (_, number) => `word${number}`).join(" ");

await scenario({}, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model/);
  await window.command("Pointsman: Providers and Status");
  const page = await window.webview("#providers");
  const elsewhere = (await byCode(window, page.locator(".card", { hasText: "Corp" }))).page;
  await signIn(elsewhere);
  await elsewhere.close();
  await window.notification("Signed in to Corp").waitFor({ timeout: 20_000 });

  await window.command("Pointsman: Try a Key for 30 Minutes");
  await window.choose("OpenRouter");
  await window.page.locator(".quick-input-widget input[type=password]").waitFor();
  await window.page.keyboard.type("sk-or-v1-0123456789abcdef");
  await window.page.keyboard.press("Enter");
  await window.notification("for 30 minutes").waitFor();
  await window.shot("4-key-on-trial");

  await window.status.click();
  await window.page.locator('.quick-input-titlebar [aria-label*="For this window"]').click();
  await window.row("slow").click();
  await window.shows(/slow/);
  await window.command("View: Close All Editors");
  const raw = await Raw.open();
  await window.command("Pointsman: Ask");
  await window.type(QUESTION);
  await window.page.keyboard.press("Enter");
  await until("the answer has begun", async () => /You said: word0 word1/.test(await window.bodyText()));
  await window.shot("4-before");
  const before = await seen(raw);
  await window.reload();
  const back = await until("the answer goes on", async () => /word9 /.test(await window.bodyText()), 30);
  const running = (await latest(raw)).state;
  await window.shot("4-after");
  const status = (await window.shows(/slow/)).found;
  const whole = await until("the whole answer", async () => /tokens in/.test(await window.bodyText()), 40);
  const text = await window.bodyText();
  await window.shot("4-whole");
  const after = await seen(raw);
  await window.command("Pointsman: Providers and Status");
  const again = await window.webview("#sessions li");
  const sections = await again.locator("#sessions").innerText();
  const card = await again.locator(".card", { hasText: "Corp" }).innerText();
  await window.shot("4-still-signed-in");
  raw.close();
  return {
    ...{ back: back.ms, whole: whole.ms, status, running, before, after, text, sections, card },
    words: [...new Set(text.match(/word\d+/g))].length,
  };
});

async function latest(raw) {
  return (await raw.request("pointsman/listChats")).chats[0];
}

async function seen(raw) {
  const { chatId, reason } = await latest(raw);
  const { windowId } = (await raw.request("pointsman/status")).clients.find(({ client }) => client === "vscode");
  const { sessions } = await raw.request("pointsman/listSessions");
  const { accounts } = await raw.request("pointsman/listAccounts");
  return { chatId, reason, windowId, sessions, accounts };
}
