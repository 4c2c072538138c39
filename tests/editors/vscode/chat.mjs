// VS Code's own chat view.
import { until } from "./workbench.mjs";

export class ChatView {
  static async open(window) {
    const view = new ChatView(window);
    if (!(await view.box.isVisible().catch(() => false))) {
      await window.command("Chat: Open Chat");
    }
    await view.box.waitFor();
    return view;
  }

  constructor(window) {
    this.window = window;
    this.page = window.page;
  }

  get box() {
    return this.page.locator(".interactive-input-editor .monaco-editor").first();
  }

  /** The model that the view's own picker shows. */
  async model() {
    return (await this.page.locator(".model-picker-name").first().innerText()).trim();
  }

  /** Types and sends. A list of suggestions takes the first Enter, wherever it comes up in between. */
  async send(text) {
    await this.box.click();
    await this.page.keyboard.type(text, { delay: 10 });
    // After a participant that stays, its name stands in the field again; so what is looked at is the end.
    const holds = async () =>
      (await this.box.locator(".view-lines").innerText()).replaceAll("\u00a0", " ").trim().endsWith(text.slice(-6));
    await until(`the chat's field holds ${text}`, holds);
    await until(`${text} is sent`, async () => {
      if (await this.page.locator(".suggest-widget.visible").count()) {
        await this.page.keyboard.press("Escape");
      }
      await this.page.keyboard.press("Enter");
      return until("the field is empty", async () => !(await holds()), 1).catch(() => undefined);
    });
  }

  async answers() {
    return this.page.locator(".interactive-response .value").allInnerTexts();
  }

  /** Waits until the last answer says something. */
  async says(pattern, seconds = 25) {
    return until(`the chat says ${pattern}`, async () => {
      const last = (await this.answers()).at(-1) ?? "";
      return pattern.test(last) && last;
    }, seconds);
  }

  /** Lets a tool be run, if it asks. */
  async allow(seconds) {
    const button = this.page
      .locator(".interactive-session .monaco-button, .chat-confirmation-widget .monaco-button", {
        hasText: /^(Allow|Continue|Run|Yes)/,
      })
      .last();
    await button.waitFor({ timeout: seconds * 1000 }).then(
      () => button.click(),
      () => undefined,
    );
  }

  async stop() {
    await this.page.locator(".chat-input-container .codicon-stop-circle, .interactive-input-part .codicon-stop-circle").first().click();
  }

  /** Opens the view's own picker of a model, for a picture. */
  async showModels(shot) {
    await this.page.locator(".model-picker-name").first().click();
    await this.page.locator(".action-widget .monaco-list-row").first().waitFor();
    await this.window.shot(shot);
    await this.page.keyboard.press("Escape");
  }
}
