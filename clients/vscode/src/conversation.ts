/** Messages and tools of VS Code's language model API as Pointsman's, and back. */

import * as vscode from "vscode";
import type { ChatResult, ImagePart, Message, Options, Part, TextPart, Tool, ToolCallPart } from "./protocol";

const TOKENS_OF_AN_IMAGE = 1000;
const CHARACTERS_OF_A_TOKEN = 4;
const MOST_KEPT = 200;
/** VS Code's third role, for what its own chat says before the user; it is not in the public API. */
const SYSTEM = 3;

/**
 * What models gave with their tool calls besides what VS Code keeps: thoughts and signatures.
 *
 * Some providers refuse a conversation in which they are missing. They are found again by the id of a call.
 */
export class Kept {
  private readonly messages = new Map<string, Message>();

  keep(result: ChatResult): void {
    for (const call of callsIn(result)) {
      this.messages.delete(call.id);
      this.messages.set(call.id, { ...result.message, ...(result.provider ? { provider: result.provider } : {}) });
    }
    for (const id of [...this.messages.keys()].slice(0, -MOST_KEPT)) {
      this.messages.delete(id);
    }
  }

  /** The whole message in which a call was made. */
  withCall(id: string): Message | undefined {
    return this.messages.get(id);
  }
}

export function callsIn(result: ChatResult): ToolCallPart[] {
  const { content } = result.message;
  return typeof content === "string" ? [] : content.filter((part) => part.type === "toolCall");
}

export function messagesOf(given: readonly vscode.LanguageModelChatRequestMessage[], kept: Kept): Message[] {
  return given.flatMap((message) => messagesOfOne(message, kept)).filter(({ content }) => content.length > 0);
}

function messagesOfOne(given: vscode.LanguageModelChatRequestMessage, kept: Kept): Message[] {
  const parts: Part[] = [];
  const results: Part[] = [];
  for (const part of given.content) {
    if (part instanceof vscode.LanguageModelToolCallPart) {
      const whole = kept.withCall(part.callId);
      if (whole) {
        return [whole];
      }
      parts.push({
        type: "toolCall",
        id: part.callId,
        name: part.name,
        arguments: part.input as Record<string, unknown>,
      });
    } else if (part instanceof vscode.LanguageModelToolResultPart) {
      results.push({ type: "toolResult", toolCallId: part.callId, content: resultOf(part.content) });
    } else {
      const own = plainPart(part);
      if (own) {
        parts.push(own);
      }
    }
  }
  return [
    { role: "tool", content: results },
    { role: roleOf(given), content: parts },
  ];
}

function roleOf(given: vscode.LanguageModelChatRequestMessage): "user" | "assistant" | "system" {
  if (given.role === vscode.LanguageModelChatMessageRole.Assistant) {
    return "assistant";
  }
  return (given.role as number) === SYSTEM ? "system" : "user";
}

function plainPart(part: unknown): TextPart | ImagePart | undefined {
  if (part instanceof vscode.LanguageModelTextPart) {
    return part.value ? { type: "text", text: part.value } : undefined;
  }
  if (part instanceof vscode.LanguageModelDataPart) {
    if (part.mimeType.startsWith("image/")) {
      return { type: "image", mediaType: part.mimeType, data: Buffer.from(part.data).toString("base64") };
    }
    const isText = part.mimeType.startsWith("text/") || part.mimeType === "application/json";
    return isText ? { type: "text", text: Buffer.from(part.data).toString("utf8") } : undefined;
  }
  return undefined;
}

function resultOf(content: readonly unknown[]): (TextPart | ImagePart)[] {
  const parts = content.map((part) => plainPart(part) ?? (isForeign(part) ? foreign(part) : undefined));
  const found = parts.filter((part) => part !== undefined);
  return found.length ? found : [{ type: "text", text: "" }];
}

/** A part of a kind that only another extension knows, such as a rendered prompt: its text is JSON. */
function foreign(part: { value: unknown }): TextPart {
  return { type: "text", text: typeof part.value === "string" ? part.value : JSON.stringify(part.value) };
}

function isForeign(part: unknown): part is { value: unknown } {
  return typeof part === "object" && part !== null && "value" in part;
}

export function toolsOf(tools: readonly vscode.LanguageModelChatTool[] | undefined): Tool[] {
  return (tools ?? []).map(({ name, description, inputSchema }) => ({
    name,
    description,
    parameters: (inputSchema as Record<string, unknown> | undefined) ?? { type: "object", properties: {} },
  }));
}

type Taker = (value: unknown) => Partial<Options>;

const number =
  (name: keyof Options): Taker =>
  (value) =>
    typeof value === "number" ? { [name]: value } : {};
const stops: Taker = (value) => ({ stop: (Array.isArray(value) ? value : [value]).map(String) });
const effort: Taker = (value) => (typeof value === "string" ? { reasoningEffort: value } : {});

/** Names under which extensions give options of a model. Others are left out. */
const OPTIONS: Readonly<Record<string, Taker>> = {
  temperature: number("temperature"),
  topP: number("topP"),
  top_p: number("topP"),
  topK: number("topK"),
  top_k: number("topK"),
  maxOutputTokens: number("maxOutputTokens"),
  maxTokens: number("maxOutputTokens"),
  max_tokens: number("maxOutputTokens"),
  seed: number("seed"),
  frequencyPenalty: number("frequencyPenalty"),
  presencePenalty: number("presencePenalty"),
  stop: stops,
  reasoningEffort: effort,
  reasoning_effort: effort,
};

export function optionsOf(given: Readonly<Record<string, unknown>> | undefined): Options {
  const taken = Object.entries(given ?? {}).map(([name, value]) => OPTIONS[name]?.(value) ?? {});
  return Object.assign({}, ...taken) as Options;
}

/** About how many tokens that is; providers count each in their own way. */
export function tokensIn(given: string | vscode.LanguageModelChatRequestMessage): number {
  if (typeof given === "string") {
    return Math.ceil(given.length / CHARACTERS_OF_A_TOKEN);
  }
  const each = messagesOf([given], new Kept()).flatMap(({ content }) => (typeof content === "string" ? [] : content));
  return each.reduce((sum, part) => sum + tokensInPart(part), 0);
}

function tokensInPart(part: Part): number {
  return part.type === "image" ? TOKENS_OF_AN_IMAGE : Math.ceil(textIn(part).length / CHARACTERS_OF_A_TOKEN);
}

function textIn(part: Part): string {
  switch (part.type) {
    case "text":
    case "reasoning":
      return part.text;
    case "toolCall":
      return part.name + JSON.stringify(part.arguments);
    case "toolResult":
      return typeof part.content === "string" ? part.content : part.content.map(textIn).join("");
    default:
      return "";
  }
}
