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

  await window.command("Neighbour: Show a Picture");
  await window.notification("The neighbour was told: Hello! This is aimock.").waitFor();
  await window.shot("3-picture");

  const latest = async () => (await raw.request("pointsman/listChats")).chats[0];
  await use("dripping:drip:2000:0.02");
  await window.shows(/drip/);
  await chat.send("count for me");
  await chat.says(/\b9 10 11\b/);
  const stopped = Date.now();
  await chat.stop();
  await until("it has ended", async () => (await latest()).state === "finished");
  const ended = await latest();
  await window.shot("3-cancelled");

  // The agent's tools alone are more than this model's window takes; the participant sends only what was said.
  await use(`tiny:${given.llamaModel}`);
  await window.shows(new RegExp(given.llamaModel));
  await chat.send("@pointsman talk on and on");
  await until("llama.cpp computes", async () => (await busy()) > 0);
  await until("it answers", async () => (await latest()).events > 5);
  const stopping = Date.now();
  await chat.stop();
  await until("llama.cpp has noticed", async () => (await busy()) === 0);
  const cancelled = Date.now() - stopping;
  await window.shot("3-upstream-closed");
  await until("it has ended", async () => (await latest()).state === "finished");
  const upstream = await latest();
  raw.close();
  return { stopped, hello, pieces: lengths.size, weather, refused, limited, cancelled, ended, upstream };
});
