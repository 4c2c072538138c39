// Show 5: the daemon is killed; another is there within 3 seconds, and nobody is asked anything.
import { Raw } from "../raw.mjs";
import { scenario, until } from "../workbench.mjs";

await scenario({}, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model/);
  const times = [];
  for (let round = 0; round < 3; round++) {
    const raw = await Raw.open();
    if (round === 0) {
      await raw.request("pointsman/switchModel", { model: "echo:echo", scope: "global" });
      await window.shows(/echo/);
    }
    const { pid } = await raw.request("pointsman/status");
    process.kill(pid, "SIGKILL");
    const began = Date.now();
    await until("another daemon serves the editor", async () => {
      const second = await Raw.open("after").catch(() => undefined);
      const status = await second?.request("pointsman/status");
      second?.close();
      return status && status.pid !== pid && status.clients.some(({ client }) => client === "vscode");
    });
    times.push(Date.now() - began);
    await window.shows(/echo · Echo/);
  }
  await window.shot("5-back");
  const asked = await window.page.locator(".notification-list-item").count();
  await window.command("Pointsman: Ask");
  await window.type("still there?");
  await window.page.keyboard.press("Enter");
  await until("an answer", async () => /You said: still there/.test(await window.bodyText()));
  await window.shot("5-answers");
  return { times, asked };
});
