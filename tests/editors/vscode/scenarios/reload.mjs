// Show 4: the window is reloaded in the middle of an answer; the answer, the choice and a key on trial are still there.
import { Raw } from "../raw.mjs";
import { scenario, until } from "../workbench.mjs";

const QUESTION = Array.from({ length: 48 }, (_, number) => `word${number}`).join(" ");

await scenario({}, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model/);
  await window.status.click();
  await window.page.locator('.quick-input-titlebar [aria-label*="For this window"]').click();
  await window.row("slow").click();
  await window.shows(/slow/);
  const raw = await Raw.open();
  const methods = await raw.request("pointsman/listSessions").then(
    () => true,
    () => false,
  );
  if (methods) {
    await window.command("Pointsman: Try a Key for 30 Minutes");
    await window.type("OpenRouter");
    await window.page.keyboard.press("Enter");
    await window.page.locator(".quick-input-widget input[type=password]").waitFor();
    await window.page.keyboard.type("sk-or-v1-0123456789abcdef");
    await window.page.keyboard.press("Enter");
    await window.notification("For 30 minutes").waitFor();
    await window.shot("4-key-on-trial");
  }
  await window.command("Pointsman: Ask");
  await window.type(QUESTION);
  await window.page.keyboard.press("Enter");
  await until("the answer has begun", async () => /word3/.test(await window.bodyText()));
  await window.shot("4-before");
  const [before] = (await raw.request("pointsman/listChats")).chats;
  const statusBefore = (await raw.request("pointsman/status")).clients.find(({ client }) => client === "vscode");
  await window.page.waitForTimeout(500);
  await window.command("Developer: Reload Window");
  await window.page.waitForEvent("load");
  await window.page.locator(".monaco-workbench").waitFor();
  const back = await until("the answer goes on", async () => /word9 /.test(await window.bodyText()), 30);
  await window.shot("4-after");
  const status = (await window.shows(/slow/)).found;
  const whole = await until("the whole answer", async () => /tokens in/.test(await window.bodyText()), 40);
  const text = await window.bodyText();
  await window.shot("4-whole");
  const [after] = (await raw.request("pointsman/listChats")).chats;
  const statusAfter = (await raw.request("pointsman/status")).clients.find(({ client }) => client === "vscode");
  const sessions = methods ? (await raw.request("pointsman/listSessions")).sessions : undefined;
  raw.close();
  return {
    back: back.ms,
    whole: whole.ms,
    words: [...new Set(text.match(/word\d+/g))].length,
    status,
    sameChat: before.chatId === after.chatId,
    reason: after.reason,
    sameWindow: statusBefore.windowId === statusAfter.windowId,
    sessions,
    text,
  };
});
