// Show 2: a click changes the model for VS Code's chat, for Neovim and for a raw client; a change there comes back at once.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ChatView } from "../chat.mjs";
import { Raw } from "../raw.mjs";
import { given, scenario, until } from "../workbench.mjs";

/** Notes when the status bar says something, in a promise of the page: it must look before the change is made. */
async function watchStatus(page, wanted) {
  await page.evaluate((text) => {
    globalThis.statusSeen = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`the status bar never said ${text}`)), 10_000);
      const look = () => {
        if (document.getElementById("pointsman.pointsman.pointsman.model")?.textContent.includes(text)) {
          observer.disconnect();
          resolve(Date.now());
        }
      };
      const observer = new MutationObserver(look);
      observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    });
  }, wanted);
}

async function latestModel(raw) {
  const { found } = await until("the chat has ended", async () => {
    const [chat] = (await raw.request("pointsman/listChats")).chats;
    return chat.state === "finished" && chat;
  });
  return found.model;
}

const neovim = async (expression) =>
  (await promisify(execFile)(given.neovim, ["--server", given.neovimAt, "--remote-expr", expression], { timeout: 10_000 })).stdout.trim();

async function neovimShows(pattern) {
  const { found } = await until(`Neovim shows ${pattern}`, async () => {
    const text = await neovim('luaeval("require([[pointsman]]).statusline()")');
    return pattern.test(text) && text;
  });
  return found;
}

async function neovimDoes(command) {
  await neovim(`execute("${command}")`);
}

await scenario({}, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|·/);
  const raw = await Raw.open();
  await window.status.click();
  await window.choose("slow");
  await window.shows(/slow/);
  const { found } = await until("the second client hears of it", () =>
    raw.heard.find(({ method, params }) => method === "pointsman/selectionChanged" && /slow/.test(params.effective.model)),
  );
  const neovim = [await neovimShows(/slow/)];

  // VS Code itself is busy at first; what is measured is a window at rest.
  const busy = window.page.locator(".statusbar-item", { hasText: "Activating Extensions" });
  await until("a window at rest", async () => (await busy.count()) === 0);
  const delays = [];
  for (const name of ["echo", "slow", "echo", "slow", "echo"]) {
    await watchStatus(window.page, `${name} ·`);
    const began = Date.now();
    await raw.request("pointsman/switchModel", { model: `echo:${name}` });
    delays.push((await window.page.evaluate(() => globalThis.statusSeen)) - began);
  }
  await watchStatus(window.page, "slow ·");
  const began = Date.now();
  await neovimDoes("Pointsman model echo:slow");
  const byNeovim = (await window.page.evaluate(() => globalThis.statusSeen)) - began;
  await window.shot("2-changed-by-neovim");

  await raw.request("pointsman/switchModel", { model: "echo:echo" });
  await window.shows(/echo ·/);
  const chat = await ChatView.open(window);
  await window.command("Neighbour: Choose the Current Model");
  await until("the current model is chosen", async () => /Pointsman/.test(await chat.model()));
  await window.shot("2-chat-view");
  const model = await chat.model();
  await chat.send("which model is this");
  await chat.says(/offline model/);
  const asked = [await latestModel(raw)];
  await window.status.click();
  await window.type("any");
  await window.row(/^any\s*mock/).click();
  await window.shows(/any · mock/);
  neovim.push(await neovimShows(/any/));
  await chat.send("say hello");
  const said = await chat.says(/This is aimock/);
  asked.push(await latestModel(raw));
  await window.shot("2-chat-answered");
  raw.close();
  return { heardBySecond: found.params.effective.displayName, delays, byNeovim, neovim, model, asked, said: said.found };
});
