// Another extension: asks the models that VS Code offers, and has two tools for them.
const vscode = require("vscode");

/** A picture of one grey dot. */
const DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

const tool = (name, answer) =>
  vscode.lm.registerTool(name, {
    invoke: async ({ input }) =>
      new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(`${answer} ${JSON.stringify(input)}`)]),
  });

exports.activate = (context) => {
  context.subscriptions.push(
    tool("get_weather", "18 degrees"),
    tool("get_time", "noon"),
    vscode.commands.registerCommand("neighbour.chooseCurrent", async () => {
      const [model] = await vscode.lm.selectChatModels({ vendor: "pointsman", id: "current" });
      const { vendor, id, family } = model;
      await vscode.commands.executeCommand("workbench.action.chat.changeModel", { vendor, id, family });
    }),
    vscode.commands.registerCommand("neighbour.look", async () => {
      const [model] = await vscode.lm.selectChatModels({ vendor: "pointsman", id: "current" });
      const picture = Buffer.from(DOT, "base64");
      const asked = vscode.LanguageModelChatMessage.User([
        new vscode.LanguageModelTextPart("say hello"),
        vscode.LanguageModelDataPart.image(picture, "image/png"),
      ]);
      let said = "";
      for await (const piece of (await model.sendRequest([asked], { justification: "a test" })).text) {
        said += piece;
      }
      await vscode.window.showInformationMessage(`The neighbour was told: ${said}`);
    }),
    vscode.commands.registerCommand("neighbour.ask", async (text = "hi", id = "current") => {
      const [model] = await vscode.lm.selectChatModels({ vendor: "pointsman", id });
      const reply = await model.sendRequest([vscode.LanguageModelChatMessage.User(text)], { justification: "a test" });
      let said = "";
      for await (const piece of reply.text) {
        said += piece;
      }
      return said;
    }),
  );
};
