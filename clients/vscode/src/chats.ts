/** Chats of this window: each event reaches its sink once and in order, through a lost connection, too. */

import { randomUUID } from "node:crypto";
import type * as vscode from "vscode";
import type { Connection } from "./connection";
import { DISCONNECTED, Failure, failureOf } from "./failure";
import type { ChatEvent, ChatEvents, ChatParams, ChatResult } from "./protocol";

export type Sink = (events: readonly ChatEvent[]) => void;

export class Chats implements vscode.Disposable {
  private readonly sinks = new Map<string, (batch: ChatEvents) => void>();
  private readonly listening: vscode.Disposable;

  constructor(private readonly connection: Connection) {
    this.listening = connection.on("pointsman/chatEvents", (batch) => this.sinks.get(batch.chatId)?.(batch));
  }

  /** Asks, and follows the answer to its end. Cancelling ends the chat, and gives what had come. Throws a Failure. */
  async ask(params: ChatParams, sink: Sink, token?: vscode.CancellationToken): Promise<ChatResult> {
    const chatId = params.chatId ?? randomUUID();
    return this.follow(chatId, -1, sink, token, { ...params, chatId });
  }

  /** Follows a chat that somebody has begun, from behind the event numbered `after`. Throws a Failure. */
  async attach(chatId: string, after: number, sink: Sink, token?: vscode.CancellationToken): Promise<ChatResult> {
    return this.follow(chatId, after, sink, token);
  }

  dispose(): void {
    this.listening.dispose();
  }

  private async follow(
    chatId: string,
    after: number,
    sink: Sink,
    token: vscode.CancellationToken | undefined,
    asked?: ChatParams,
  ): Promise<ChatResult> {
    if (this.sinks.has(chatId)) {
      throw new Failure({ code: "ChatInUse", message: "This chat is followed already.", advice: "", retryable: false });
    }
    let seen = after;
    this.sinks.set(chatId, ({ from, events }) => {
      const fresh = events.slice(Math.max(0, seen + 1 - from));
      seen = Math.max(seen, from + events.length - 1);
      if (fresh.length) {
        sink(fresh);
      }
    });
    const cancelling = token?.onCancellationRequested(() => {
      void this.connection.request("pointsman/cancelChat", { chatId }).catch(() => undefined);
    });
    try {
      let fresh = asked !== undefined;
      for (let losses = 0; ; losses++) {
        try {
          return await (fresh && asked
            ? this.connection.request("pointsman/chat", asked)
            : this.connection.request("pointsman/attachChat", { chatId, after: seen }));
        } catch (error) {
          const failure = failureOf(error);
          if (failure.code === "ChatGone" && losses > 0 && seen < 0 && asked && !token?.isCancellationRequested) {
            fresh = true; // The daemon ended before anything was seen: nobody is told anything twice.
          } else if (failure.code === DISCONNECTED && losses < 3 && (await this.connection.ready())) {
            fresh = false;
          } else {
            throw losses > 0 && failure.code === "ChatGone" ? broken(failure) : failure;
          }
        }
      }
    } finally {
      cancelling?.dispose();
      this.sinks.delete(chatId);
    }
  }
}

function broken(failure: Failure): Failure {
  const message = "The daemon was restarted, and this answer ended with the one before.";
  return new Failure({ ...failure.data, message, advice: "Ask again.", retryable: true });
}
