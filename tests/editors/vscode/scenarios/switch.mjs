// Show 2: a click changes the model for VS Code's chat and for a second client; a change there comes back at once.
import { ChatView } from "../chat.mjs";
import { Raw } from "../raw.mjs";
import { scenario, until } from "../workbench.mjs";

await scenario({}, async ({ open }) => {
  const window = await open();
  await window.shows(/Choose a model|echo/);
  const raw = await Raw.open();
  await window.status.click();
  await window.row("slow").click();
  await window.shows(/slow/);
  const { found } = await until("the second client hears of it", () =>
    raw.heard.find(({ method, params }) => method === "pointsman/selectionChanged" && /slow/.test(params.effective.model)),
  );
  const delays = [];
  for (const model of ["echo:echo", "echo:slow", "echo:echo", "echo:slow", "echo:echo"]) {
    const name = model.slice(5);
    const seen = window.page.evaluate(
      (wanted) =>
        new Promise((resolve) => {
          const look = () => {
            const item = document.getElementById("pointsman.pointsman.pointsman.model");
            if (item?.textContent.includes(wanted)) {
              observer.disconnect();
              resolve(Date.now());
            }
          };
          const observer = new MutationObserver(look);
          observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
        }),
      `${name} ·`,
    );
    await window.page.waitForTimeout(300);
    const began = Date.now();
    await raw.request("pointsman/switchModel", { model });
    delays.push((await seen) - began);
  }
  await window.shot("2-changed-by-another");
  await window.page.mouse.move(700, 500);
  const chat = await ChatView.open(window);
  await window.shot("2-chat-view");
  const model = await chat.model();
  await chat.send("which model is this");
  const said = await chat.says(/offline model/);
  await window.shot("2-chat-answered");
  raw.close();
  return { heardBySecond: found.params.effective.displayName, delays, model, said: said.found };
});
