// A client of Pointsman that is no editor: JSON-RPC in LSP's frames over `pointsman connect`.
import { spawn } from "node:child_process";
import path from "node:path";
import { given } from "./workbench.mjs";

export class Raw {
  heard = [];
  #id = 0;
  #waiting = new Map();
  #left = Buffer.alloc(0);

  static async open(windowId = "raw") {
    const client = new Raw();
    await client.request("initialize", {
      processId: process.pid,
      rootUri: null,
      capabilities: {},
      initializationOptions: { pointsman: { client: "raw", windowId } },
    });
    client.#send({ method: "initialized", params: {} });
    return client;
  }

  constructor() {
    this.child = spawn(given.program, ["connect"], {
      env: { ...process.env, POINTSMAN_HOME: given.data },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.child.stdout.on("data", (data) => this.#take(data));
  }

  request(method, params = {}) {
    const id = ++this.#id;
    this.#send({ id, method, params });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  close() {
    this.child.stdin.end();
  }

  #send(message) {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.child.stdin.write(body);
  }

  #take(data) {
    this.#left = Buffer.concat([this.#left, data]);
    for (;;) {
      const end = this.#left.indexOf("\r\n\r\n");
      const size = Number(/Content-Length: (\d+)/i.exec(this.#left.subarray(0, Math.max(end, 0)).toString())?.[1]);
      if (end < 0 || this.#left.length < end + 4 + size) {
        return;
      }
      const message = JSON.parse(this.#left.subarray(end + 4, end + 4 + size).toString());
      this.#left = this.#left.subarray(end + 4 + size);
      const waiting = this.#waiting.get(message.id);
      if (waiting && !message.method) {
        this.#waiting.delete(message.id);
        message.error ? waiting.reject(new Error(JSON.stringify(message.error))) : waiting.resolve(message.result);
      } else if (message.method) {
        this.heard.push({ ...message, at: Date.now() });
      }
    }
  }
}
