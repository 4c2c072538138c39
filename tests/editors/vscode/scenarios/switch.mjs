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

/** Milliseconds until a change elsewhere was told to whoever made it, and until the status bar showed it. */
async function switches(window, raw) {
  await window.atRest();
  const told = [];
  const shown = [];
  for (const name of ["echo", "slow", "echo", "slow", "echo", "slow"]) {
    await watchStatus(window.page, `${name} ·`);
    const began = Date.now();
    await raw.request("pointsman/switchModel", { model: `echo:${name}` });
    told.push(Date.now() - began);
    shown.push((await window.page.evaluate(() => globalThis.statusSeen)) - began);
  }
  return { told, shown };
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

  // A machine that pauses slows some of a round; a status bar that is slow, each of them.
  const rounds = [await switches(window, raw)];
  while (rounds.length < 3 && Math.max(...rounds.at(-1).shown) >= given.within) {
    rounds.push(await switches(window, raw));
  }
  await watchStatus(window.page, "echo ·");
  const began = Date.now();
  await neovimDoes("Pointsman model echo:echo");
  const byNeovim = (await window.page.evaluate(() => globalThis.statusSeen)) - began;
  await window.shot("2-changed-by-neovim");

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
  return { heardBySecond: found.params.effective.displayName, rounds, byNeovim, neovim, model, asked, said: said.found };
});
