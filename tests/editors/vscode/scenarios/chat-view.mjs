// Show 3: VS Code's own chat with a model of Pointsman: streams, calls a tool, is cancelled, and says why it failed.
import { ChatView } from "../chat.mjs";
import { Raw } from "../raw.mjs";
import { given, scenario, until } from "../workbench.mjs";

const busy = async () => {
  const metrics = await (await fetch(`${given.llama.replace(/\/v1$/, "")}/metrics`)).text();
  return Number(/^llamacpp:requests_processing (\d+)$/m.exec(metrics)[1]);
};

await scenario({}, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|·/);
  const raw = await Raw.open();
  const use = (model) => raw.request("pointsman/switchModel", { model, scope: "global" });
  await use("mock:any");
  await window.shows(/any/);
  const chat = await ChatView.open(window);
  // The view's picker only lists what was chosen before; another extension chooses as a person does in "Manage Models".
  await window.command("Neighbour: Choose the Current Model");
  await until("the current model is chosen", async () => /Pointsman/.test(await chat.model()));

  await chat.send("say hello");
  const hello = (await chat.says(/This is aimock/)).found;
  await window.shot("3-streams");
  await chat.showModels("3-model-picker");

  await chat.send("take your time");
  const lengths = new Set();
  await until("the whole slow answer", async () => {
    const last = (await chat.answers()).at(-1) ?? "";
    lengths.add(last.length);
    return /surely/.test(last);
  });

  await chat.send("the weather");
  for (let round = 0; round < 2; round++) {
    await chat.allow(round === 0 ? 10 : 3);
  }
  const weather = (await chat.says(/18 °C in Paris/)).found;
  await window.shot("3-tool");

  await chat.send("a wrong key");
  const refused = (await chat.says(/key/i)).found;
  await window.shot("3-wrong-key");
  await chat.send("too often");
  const limited = (await chat.says(/often|limit|rate/i)).found;
  await window.shot("3-rate-limit");

  await use(`tiny:${given.llamaModel}`);
  await window.shows(new RegExp(given.llamaModel));
  await window.command("Chat: New Chat"); // what was said so far is more than this model's window takes
  await chat.box.waitFor();
  await chat.send("talk on and on");
  await until("llama.cpp computes", async () => (await busy()) > 0);
  await until("it answers", async () => (await raw.request("pointsman/listChats")).chats[0].events > 5);
  const stopping = Date.now();
  await chat.stop();
  await until("llama.cpp has noticed", async () => (await busy()) === 0);
  const cancelled = Date.now() - stopping;
  await window.shot("3-cancelled");
  await window.page.waitForTimeout(1500);
  const { chats } = await raw.request("pointsman/listChats");
  raw.close();
  return { hello, pieces: lengths.size, weather, refused, limited, cancelled, ended: chats[0] };
});
