// A real VS Code in a browser without a window: code-server on a loopback port, and what a person does in it.
//
// What stands where comes in the variable POINTSMAN_E2E: build, client, extensions, program, home, data, shots, node.
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";

export const given = JSON.parse(process.env.POINTSMAN_E2E);
const require = createRequire(path.join(given.client, "package.json"));
const { chromium } = require("playwright-core");

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const answers = (port) =>
  new Promise((resolve) => {
    const asked = http.get({ host: "127.0.0.1", port, path: "/healthz" }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    asked.on("error", () => resolve(false));
  });

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until `look` gives something, and gives that and the milliseconds that it took. */
export async function until(what, look, seconds = 20) {
  const began = performance.now();
  for (;;) {
    const found = await look();
    if (found) {
      return { found, ms: Math.round(performance.now() - began) };
    }
    if (performance.now() - began > seconds * 1000) {
      throw new Error(`not seen within ${seconds} s: ${what}`);
    }
    await sleep(15);
  }
}

/** Starts code-server with the extension in it, and with settings of its own. */
export async function startServer({ settings = {}, env = {}, args = [], extensions = given.extensions, trust = true } = {}) {
  const dir = fs.mkdtempSync(path.join(given.home, "code-server-"));
  fs.mkdirSync(path.join(dir, "ud/User"), { recursive: true });
  const all = {
    "workbench.startupEditor": "none",
    "telemetry.telemetryLevel": "off",
    "extensions.ignoreRecommendations": true,
    "chat.allowAnonymousAccess": true,
    "editor.wordWrap": "on",
    "remote.autoForwardPorts": false,
    "workbench.hover.delay": 10_000, // where a tip lies over a button, a click does not reach it
    "pointsman.executable": given.program,
    ...settings,
  };
  fs.writeFileSync(path.join(dir, "ud/User/settings.json"), JSON.stringify(all, null, 2));
  // Settings of the scope `machine` are those of the machine that the server runs on.
  fs.mkdirSync(path.join(dir, "ud/Machine"), { recursive: true });
  const machine = Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith("pointsman.")));
  fs.writeFileSync(path.join(dir, "ud/Machine/settings.json"), JSON.stringify(machine, null, 2));
  const port = await freePort();
  const log = fs.openSync(path.join(dir, "server.log"), "w");
  const clean = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|PORT$|PASSWORD$|CODE_SERVER|POINTSMAN_)/.test(name));
  const child = spawn(
    given.node,
    [
      path.join(given.build, "node_modules/code-server/out/node/entry.js"),
      ...["--bind-addr", `127.0.0.1:${port}`, "--auth", "none", "--config", path.join(dir, "config.yaml")],
      ...["--user-data-dir", path.join(dir, "ud"), "--extensions-dir", extensions],
      ...["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"],
      ...(trust ? ["--disable-workspace-trust"] : []),
      ...args,
    ],
    {
      env: {
        ...Object.fromEntries(clean),
        EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: "" }),
        POINTSMAN_HOME: given.data,
        XDG_CONFIG_HOME: path.join(dir, "xdg"),
        XDG_DATA_HOME: path.join(dir, "xdg"),
        XDG_CACHE_HOME: path.join(dir, "xdg"),
        ...env,
      },
      stdio: ["ignore", log, log],
      detached: true, // a process group of its own, which `stop` ends as a whole
    },
  );
  await until("code-server answers", async () => {
    if (child.exitCode !== null) {
      throw new Error(fs.readFileSync(path.join(dir, "server.log"), "utf8"));
    }
    return answers(port);
  }, 40);
  const stop = () => {
    try {
      process.kill(-child.pid, "SIGTERM");
    } catch {
      // It has ended already.
    }
  };
  process.once("exit", stop);
  process.once("SIGTERM", () => process.exit(1));
  return { dir, port, stop };
}

export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    ignoreDefaultArgs: ["--headless"],
    args: [
      ...["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"],
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ],
  });
}

/** Errors that are about this extension; code-server has some of its own, without a gallery and native modules. */
const OURS = /pointsman\.pointsman|\[pointsman\]|pointsman[^/]*extension|LanguageClient/i;

/** What VS Code says in its console of a model's own answer; it is about that, and no mistake of an extension. */
const REPORTED = /\[CHAT\] extension request ERRORED/;
/** A name that never leaves the browser: files of webviews come by it from a service worker. */
const INSIDE = /\.vscode-resource\.vscode-cdn\.net$/;

/** One window of VS Code, with a folder open. */
export class Window {
  /** What the developer console has said of errors: all of it, and what is about us. */
  all = [];
  errors = [];
  offsite = new Set();

  static async open(server, browser, folder, payload) {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
    const page = await context.newPage();
    const window = new Window(page);
    const note = (text) => {
      window.all.push(text);
      if (OURS.test(text) && !REPORTED.test(text)) {
        window.errors.push(text.split("\n").slice(0, 3).join("\n"));
      }
    };
    page.on("console", (message) => message.type() === "error" && note(message.text()));
    page.on("pageerror", (error) => note(String(error)));
    page.on("request", (request) => {
      const { hostname } = new URL(request.url());
      if (hostname && !["127.0.0.1", "localhost"].includes(hostname) && !INSIDE.test(hostname)) {
        window.offsite.add(request.url().slice(0, 120));
      }
    });
    await window.before?.(page);
    const query = payload ? `&payload=${encodeURIComponent(JSON.stringify(payload))}` : "";
    await page.goto(`http://127.0.0.1:${server.port}/?folder=${encodeURIComponent(folder)}${query}`);
    await page.locator(".monaco-workbench").waitFor({ timeout: 60_000 });
    return window;
  }

  constructor(page) {
    this.page = page;
  }

  get status() {
    return this.page.locator('[id="pointsman.pointsman.pointsman.model"]');
  }

  async statusText() {
    return (await this.status.count()) ? (await this.status.innerText()).trim() : "";
  }

  /** Waits until the status bar says something. */
  async shows(pattern, seconds = 30) {
    return until(`the status bar shows ${pattern}, not ${await this.statusText()}`, async () => {
      const text = await this.statusText();
      return pattern.test(text) && text;
    }, seconds);
  }

  /** Waits until VS Code has had nothing long to do for a second: at its start, and after a list, it has. */
  async atRest() {
    const busy = this.page.locator(".statusbar-item", { hasText: "Activating Extensions" });
    await until("all extensions are activated", async () => (await busy.count()) === 0);
    await this.page.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const never = setTimeout(() => reject(new Error("VS Code was not at rest within 60 s")), 60_000);
          const rest = () => {
            clearTimeout(never);
            observer.disconnect();
            resolve();
          };
          let quiet = setTimeout(rest, 1000);
          const observer = new PerformanceObserver(() => {
            clearTimeout(quiet);
            quiet = setTimeout(rest, 1000);
          });
          observer.observe({ type: "longtask" });
        }),
    );
  }

  /** Runs a command by its title. While the list of the one before closes, VS Code takes no other: then once more. */
  async command(title) {
    const input = this.page.locator(".quick-input-widget input.input");
    const ready = async () => {
      await this.page.keyboard.press("F1");
      await input.fill(`>${title}`, { timeout: 2000 });
      await this.row(title).waitFor({ timeout: 5000 });
      return true;
    };
    await until(`the command ${title}`, () => ready().catch(() => false), 40);
    await this.page.keyboard.press("Enter");
  }

  /** Does something that loads the window anew, and waits until it is there again. */
  async reload() {
    const loaded = this.page.waitForEvent("load");
    await this.command("Developer: Reload Window");
    await loaded;
    await this.page.locator(".monaco-workbench").waitFor();
  }

  /** Types into the list that is open, takes the first line once it is one with a text, and waits until the list is gone. */
  async choose(typed, text = typed) {
    await this.type(typed);
    await this.page.locator(".quick-input-list .monaco-list-row.focused", { hasText: text }).first().waitFor();
    await this.page.keyboard.press("Enter");
  }

  row(text) {
    return this.page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first();
  }

  async type(text) {
    const input = this.page.locator(".quick-input-widget input.input");
    await input.waitFor();
    await input.fill(text);
  }

  /** The text of the active editor, as far as it is drawn; lines that are wrapped are one. */
  async bodyText() {
    const lines = this.page.locator(".editor-group-container.active .monaco-editor .view-line");
    const drawn = await lines.evaluateAll((found) =>
      found
        .map((line) => [Number.parseFloat(line.style.top), line.textContent])
        .sort((one, other) => one[0] - other[0])
        .map(([, text]) => text),
    );
    return drawn.join("\n").replaceAll("\u00a0", " ");
  }

  /** What a webview shows, once it has an element. */
  async webview(selector) {
    const { found } = await until(`a webview with ${selector}`, async () => {
      for (const frame of this.page.frames()) {
        if ((await frame.locator(selector).count().catch(() => 0)) > 0) {
          return frame;
        }
      }
      return undefined;
    });
    return found;
  }

  notification(text) {
    return this.page.locator(".notification-list-item", { hasText: text }).first();
  }

  async shot(name) {
    fs.mkdirSync(given.shots, { recursive: true });
    await this.page.screenshot({ path: path.join(given.shots, `${name}.png`), animations: "disabled" });
  }
}

/** Runs `pointsman` in the same home as the editor. */
export function pointsman(...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(given.program, args, {
      env: { ...process.env, POINTSMAN_HOME: given.data, POINTSMAN_E2E: "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    child.stdout.on("data", (data) => (out += data));
    child.stderr.on("data", (data) => (out += data));
    child.on("error", reject);
    child.on("close", (code) => (code ? reject(new Error(`pointsman ${args.join(" ")}: ${out}`)) : resolve(out)));
  });
}

/** Runs one scenario with a server and a browser, and prints what it found as JSON. */
export async function scenario(options, play) {
  const folder = path.join(given.home, "folder");
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "greet.py"), 'def greet(name):\n    return f"Hello, {name}"\n');
  const server = await startServer(options);
  let browser;
  let window;
  try {
    browser = await startBrowser();
    const open = async (payload) => {
      window = await Window.open(server, browser, folder, payload);
      return window;
    };
    const found = await play({ server, browser, folder, open });
    console.log(JSON.stringify({ ...found, errors: window?.errors ?? [], offsite: [...(window?.offsite ?? [])] }));
  } catch (error) {
    await window?.shot(`failed-${path.basename(process.argv[1], ".mjs")}`).catch(() => undefined);
    console.error(error);
    console.error((window?.errors ?? []).slice(-10).join("\n"));
    process.exitCode = 1;
  } finally {
    await browser?.close();
    server.stop();
    process.exit();
  }
}
