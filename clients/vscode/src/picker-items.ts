/** The list of models to choose from: what was chosen last, shortcuts, then provider by provider. Draws nothing. */

import { accessOf, isUsable, lookOf, signsIn, takesKey } from "./health";
import type { Provider, View } from "./mirror";
import type { Model, Scope } from "./protocol";
import { priceInWords, size } from "./words";

export type Action =
  | { does: "choose"; model: string }
  | { does: "clear"; scope: Scope }
  | { does: "addKey"; provider: string }
  | { does: "signIn"; provider: string };

export type Line =
  | { kind: "separator"; label: string }
  | { kind: "item"; label: string; description: string; detail?: string; action: Action; provider?: string };

const WIDER: Readonly<Record<string, string>> = { window: "the workspace or all windows", workspace: "all windows" };

export function pickerLines(view: View, recent: readonly string[], now: number): Line[] {
  const providers = new Map(view.providers.map((provider) => [provider.id, provider]));
  const models = new Map(view.models.map((model) => [model.model, model]));
  const shortcuts = new Map(view.shortcuts.map((shortcut) => [shortcut.model, shortcut]));
  const current = view.selection?.model ?? undefined;
  const here = (model: string) => (model === current ? "$(check) " : "");

  const modelLine = (model: Model, prefix = ""): Line => {
    const provider = providers.get(model.provider);
    return {
      kind: "item",
      label: `${here(model.model)}${prefix}${model.name}`,
      description: provider?.name ?? model.provider,
      detail: factsOf(model, provider, now),
      action: { does: "choose", model: model.model },
      provider: model.provider,
    };
  };
  const shortcutLine = (name: string): Line => ({
    kind: "item",
    label: `${here(name)}$(${name.startsWith("chain:") ? "link" : "tag"}) ${name}`,
    description: shortcuts.get(name)?.leads ?? "",
    action: { does: "choose", model: name },
  });
  const anyLine = (name: string): Line | undefined => {
    const model = models.get(name);
    if (model) {
      return modelLine(model);
    }
    if (shortcuts.has(name)) {
      return shortcutLine(name);
    }
    return name === current
      ? { kind: "item", label: `$(check) ${name}`, description: "", action: { does: "choose", model: name } }
      : undefined;
  };

  const lines: Line[] = [];
  const section = (label: string, found: readonly (Line | undefined)[]) => {
    const there = found.filter((line) => line !== undefined);
    if (there.length) {
      lines.push({ kind: "separator", label }, ...there);
    }
  };
  section("recent", [...new Set([...(current ? [current] : []), ...recent])].map(anyLine));
  section(
    "aliases and chains",
    view.shortcuts.map(({ model }) => shortcutLine(model)),
  );
  for (const provider of sorted(view.providers.filter(isUsable))) {
    const own = view.models.filter((model) => model.provider === provider.id);
    section(
      `${provider.name} · ${lookOf(provider, now).words} · ${accessOf(provider)}`,
      own.map((model) => modelLine(model)),
    );
  }
  const scope = view.selection?.scope;
  if (scope === "window" || scope === "workspace") {
    const description = `what was chosen for ${WIDER[scope]} holds again`;
    section("scope", [
      { kind: "item", label: `$(discard) Clear this ${scope}'s choice`, description, action: { does: "clear", scope } },
    ]);
  }
  section("not set up", sorted(view.providers.filter((provider) => !isUsable(provider))).flatMap(setUpLines));
  return lines;
}

function setUpLines(provider: Provider): Line[] {
  const lines: Line[] = [];
  const detail = provider.models.length ? provider.models.slice(0, 4).join(", ") : undefined;
  if (signsIn(provider)) {
    const action: Action = { does: "signIn", provider: provider.id };
    lines.push({ kind: "item", label: `$(account) ${provider.name}`, description: "sign in", detail, action });
  }
  if (takesKey(provider)) {
    const action: Action = { does: "addKey", provider: provider.id };
    lines.push({ kind: "item", label: `$(key) ${provider.name}`, description: "add a key", detail, action });
  }
  return lines;
}

function sorted(providers: readonly Provider[]): Provider[] {
  const rank = (provider: Provider) => lookOf(provider, 0).rank;
  return [...providers].sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
}

/** 200K context · $3 in, $15 out per million · ready · tools, images */
export function factsOf(model: Model, provider: Provider | undefined, now: number): string {
  const able = capabilitiesOf(model, provider).filter((each) => each !== "streaming");
  return [
    model.contextWindow ? `${size(model.contextWindow)} context` : "",
    model.price || provider?.kind !== "local" ? priceInWords(model.price) : "",
    provider ? lookOf(provider, now).words : "", // before what is cut off where the list is narrow
    able.join(", "),
  ]
    .filter(Boolean)
    .join(" · ");
}

/** What a model can do; where nobody says, what its provider can. */
export function capabilitiesOf(model: Model | undefined, provider: Provider | undefined): readonly string[] {
  const able = model?.capabilities.length ? model.capabilities : (provider?.features ?? []);
  return able.filter((each) => !model?.lacks?.includes(each));
}
