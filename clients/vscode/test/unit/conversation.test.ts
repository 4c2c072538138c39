import { expect, test } from "vitest";
import * as vscode from "vscode";
import { Kept, messagesOf, optionsOf, tokensIn, toolsOf } from "../../src/conversation";
import type { ChatResult } from "../../src/protocol";

type Given = vscode.LanguageModelChatRequestMessage;

const say = (role: number, ...content: unknown[]): Given => ({ role, content, name: undefined }) as unknown as Given;

test("text, images, tool calls and their results keep their places", () => {
  const image = new vscode.LanguageModelDataPart(new Uint8Array([1, 2, 3]), "image/png");
  const given = [
    say(3, new vscode.LanguageModelTextPart("Be kind.")),
    say(1, new vscode.LanguageModelTextPart("Look"), image),
    say(2, new vscode.LanguageModelToolCallPart("c1", "look", { at: "sky" })),
    say(1, new vscode.LanguageModelToolResultPart("c1", [new vscode.LanguageModelTextPart("blue")])),
  ];
  expect(messagesOf(given, new Kept())).toEqual([
    { role: "system", content: [{ type: "text", text: "Be kind." }] },
    {
      role: "user",
      content: [
        { type: "text", text: "Look" },
        { type: "image", mediaType: "image/png", data: "AQID" },
      ],
    },
    { role: "assistant", content: [{ type: "toolCall", id: "c1", name: "look", arguments: { at: "sky" } }] },
    { role: "tool", content: [{ type: "toolResult", toolCallId: "c1", content: [{ type: "text", text: "blue" }] }] },
  ]);
});

test("what a model thought before a tool call goes back with it", () => {
  const kept = new Kept();
  const message = {
    role: "assistant" as const,
    content: [
      { type: "reasoning" as const, text: "hm", signature: "s" },
      { type: "toolCall" as const, id: "c1", name: "look", arguments: {} },
    ],
  };
  kept.keep({ message, provider: "p" } as unknown as ChatResult);
  const given = [say(2, new vscode.LanguageModelToolCallPart("c1", "look", {}))];
  expect(messagesOf(given, kept)).toEqual([{ ...message, provider: "p" }]);
});

test("messages without anything in them are left out", () => {
  expect(messagesOf([say(1, new vscode.LanguageModelTextPart(""))], new Kept())).toEqual([]);
});

test("a tool without a schema takes nothing", () => {
  expect(toolsOf([{ name: "t", description: "d" }])).toEqual([
    { name: "t", description: "d", parameters: { type: "object", properties: {} } },
  ]);
});

test("options by any of their names; others are left out", () => {
  expect(optionsOf({ max_tokens: 9, temperature: 0.5, stop: "x", colour: "red", top_p: "much" })).toEqual({
    maxOutputTokens: 9,
    temperature: 0.5,
    stop: ["x"],
  });
});

test("tokens are about a quarter of the characters", () => {
  expect(tokensIn("12345678")).toBe(2);
  expect(tokensIn(say(1, new vscode.LanguageModelTextPart("12345678")))).toBe(2);
});
