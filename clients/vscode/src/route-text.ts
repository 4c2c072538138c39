/** Where a name leads, as Markdown. Must never know the editor. */

import { inWords } from "./failure";
import type { Explanation, Selection } from "./protocol";
import { inLocalTime } from "./words";

export function routeText(asked: string | undefined, route: Explanation, selection: Selection | undefined): string {
  const lines = [`# Where ${asked ?? "the current choice"} leads`, "", `${route.spec}: ${route.rule}`, ""];
  if (!asked && selection) {
    lines.push(inLocalTime(selection.why), "");
  }
  lines.push("## Would be tried, in this order", "");
  route.targets.forEach((target, index) => {
    lines.push(`${index + 1}. **${target.model}** (${target.provider})`);
    lines.push(...target.notices.map(({ text }) => `   - ${text}`));
    if (target.error) {
      lines.push(`   - ${inWords(target.error)}`);
    }
  });
  if (route.targets.length === 0) {
    lines.push("Nothing: a chat would end at once.");
  }
  if (route.skipped.length) {
    lines.push("", "## Would be left out", "");
    lines.push(...route.skipped.map(({ model, provider, reason }) => `- **${model}** (${provider}): ${reason}`));
  }
  return `${lines.join("\n")}\n`;
}
