import { expect, test } from "vitest";
import { capabilitiesOf, type Line, pickerLines } from "../../src/picker-items";
import { model, NOW, provider, selection, view } from "./views";

const VIEW = view({
  providers: [
    provider("zeta", { features: ["streaming", "tools"] }),
    provider("alpha", { state: "active" }),
    provider("beta", { state: "unconfigured", auth: { scheme: "bearer", state: "missing", oauth: false, keys: 0 } }),
    provider("corp", { state: "unconfigured", auth: { scheme: "oauth", state: "missing", oauth: true, keys: 0 } }),
  ],
  models: [
    model("zeta:one", {
      contextWindow: 200_000,
      price: { inputUsdPerMillion: 3, outputUsdPerMillion: 15, source: "zeta" },
    }),
    model("alpha:two", { capabilities: ["images"] }),
    model("beta:three"),
  ],
  shortcuts: [{ name: "fast", model: "fast", leads: "zeta:one" }],
  selection: selection("alpha:two", { scope: "workspace" }),
});

const flat = (lines: Line[]) => lines.map((line) => (line.kind === "separator" ? `-- ${line.label}` : line.label));

test("what was chosen last comes first, then shortcuts, then providers, the active one first", () => {
  expect(flat(pickerLines(VIEW, ["zeta:one", "gone:away", "fast"], NOW))).toEqual([
    "-- recent",
    "$(check) two",
    "one",
    "$(tag) fast",
    "-- aliases and chains",
    "$(tag) fast",
    "-- Alpha · answers now · 1 key",
    "$(check) two",
    "-- Zeta · ready · 1 key",
    "one",
    "-- scope",
    "$(discard) Clear this workspace's choice",
    "-- not set up",
    "$(key) Beta",
    "$(account) Corp",
  ]);
});

test("a line tells window, price, state and capabilities", () => {
  const line = pickerLines(VIEW, [], NOW).find((each) => each.kind === "item" && each.label === "one");
  expect(line).toMatchObject({
    description: "Zeta",
    detail: "200K context · $3 in, $15 out per million · ready · tools",
    action: { does: "choose", model: "zeta:one" },
  });
});

test("what a model lacks is not among what its provider can", () => {
  const able = provider("zeta", { features: ["streaming", "tools", "images"] });
  expect(capabilitiesOf(model("zeta:one", { lacks: ["images"] }), able)).toEqual(["streaming", "tools"]);
  expect(capabilitiesOf(undefined, able)).toEqual(["streaming", "tools", "images"]);
});

test("an unknown price is called unknown", () => {
  const line = pickerLines(VIEW, [], NOW).find((each) => each.kind === "item" && each.label === "$(check) two");
  expect(line).toMatchObject({ detail: "price unknown · answers now · images" });
});
