/** Draws the overview in the status page. All text goes in as text, never as HTML. */

import type { Bar, Card, Overview, Quota } from "../overview";
import { countdown } from "../words";

declare function acquireVsCodeApi(): { postMessage(message: { does: string; about?: string }): void };

const editor = acquireVsCodeApi();
const page = document.getElementById("page") as HTMLElement;

type Child = Node | string | false | undefined;

function h(tag: string, attributes: Record<string, string>, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== false && child !== undefined));
  return element;
}

function button(label: string, does: string, about = "", described = ""): HTMLElement {
  const made = h("button", { type: "button", "data-key": `${does} ${about}` }, label);
  if (described) {
    made.setAttribute("aria-label", `${label}: ${described}`);
  }
  made.addEventListener("click", () => editor.postMessage({ does, about }));
  return made;
}

function section(id: string, title: string, ...children: Child[]): HTMLElement {
  return h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), ...children);
}

function quota({ name, percent, words }: Quota): HTMLElement {
  const fill = h("span", { class: percent >= 90 ? "fill full" : "fill" });
  fill.style.width = `${percent}%`;
  const meter = {
    class: "meter",
    role: "meter",
    "aria-label": name,
    "aria-valuemin": "0",
    "aria-valuemax": "100",
    "aria-valuenow": String(Math.round(percent)),
    "aria-valuetext": words,
  };
  return h("div", { class: "quota" }, h("div", meter, fill), h("span", { class: "small" }, `${name}: ${words}`));
}

function card(of: Card): HTMLElement {
  const actions = h(
    "div",
    { class: "actions" },
    of.can.addKey && button("Add key", "addKey", of.id, of.name),
    of.can.signIn && button("Sign in", "signIn", of.id, of.name),
    of.can.signOut && button("Sign out", "signOut", of.id, of.name),
    button(of.testing ? "Testing …" : "Test connection", "test", of.id, of.name),
    of.can.addKey && button("Try a key", "tryKey", of.id, of.name),
    ...of.links.map(({ label, url }) => {
      const made = button(label, "link", url, of.name);
      made.className = "link";
      return made;
    }),
  );
  return h(
    "article",
    { class: `card ${of.look.tone}`, "aria-label": of.name },
    h("h3", {}, of.name),
    h("p", { class: "state" }, h("span", { class: "dot", "aria-hidden": "true" }), of.state),
    ...of.facts.map((fact) => h("p", { class: "small" }, fact)),
    of.trial !== "" && h("p", { class: "small" }, of.trial),
    ...of.quotas.map(quota),
    of.test !== "" && h("p", { class: "small test", role: "status" }, of.test),
    actions,
  );
}

function chart(title: string, bars: readonly Bar[]): HTMLElement {
  const most = Math.max(...bars.map(({ usd }) => usd), 1e-12);
  const rows = bars.map(({ name, usd, words }) => {
    const fill = h("span", { class: "fill" });
    fill.style.width = `${(100 * usd) / most}%`;
    const drawn = h("div", { class: "meter", "aria-hidden": "true" }, fill);
    return h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "bar" }, drawn), h("td", {}, words));
  });
  return h("table", { class: "chart" }, h("caption", {}, title), h("tbody", {}, ...rows));
}

function row(title: string, about: Child, action: HTMLElement): HTMLElement {
  return h("li", {}, h("span", { class: "grow" }, h("strong", {}, title), " ", about), action);
}

function timeLeft(endsAt: number): HTMLElement {
  return h("time", { "data-ends": String(endsAt) }, countdown((endsAt - Date.now()) / 1000));
}

function drawn(so: Overview): Node[] {
  const head = h(
    "header",
    {},
    h("h1", {}, so.model),
    h("p", {}, so.why),
    h(
      "div",
      { class: "actions" },
      button("Switch model", "switchModel"),
      button("Open configuration", "openConfiguration"),
      button("Show log", "showLog"),
    ),
    !so.connected && h("p", { class: "problem", role: "alert" }, so.problem || "Reconnecting to the daemon …"),
  );
  const chats = so.chats.map(({ id, title, about }) => row(title, about, button("Stop", "stopChat", id, title)));
  const sessions = so.sessions.map(({ id, title, about, endsAt }) =>
    row(title, h("span", {}, `${about}, ends in `, timeLeft(endsAt)), button("End now", "endSession", id, title)),
  );
  return [
    head,
    section("providers", "Providers", h("div", { class: "cards" }, ...so.providers.map(card))),
    section("chats", "Running chats", chats.length ? h("ul", {}, ...chats) : h("p", { class: "small" }, "None.")),
    section(
      "sessions",
      "Keys on trial",
      sessions.length ? h("ul", {}, ...sessions) : h("p", { class: "small" }, "None."),
    ),
    section(
      "usage",
      "Usage of the last two weeks",
      ...(so.usage
        ? [
            h("p", {}, so.usage.note),
            so.usage.days.length > 0 && chart("Cost by day", so.usage.days),
            so.usage.models.length > 0 && chart("Cost by model", so.usage.models),
          ]
        : [h("p", { class: "small" }, "This daemon does not count usage.")]),
    ),
    section("idle", "Not set up", h("div", { class: "cards" }, ...so.idle.map(card))),
    h("footer", { class: "small" }, so.daemon),
  ];
}

/** Draws everything anew; what had the focus keeps it. */
function draw(so: Overview): void {
  const focused = document.activeElement?.getAttribute("data-key");
  const top = document.documentElement.scrollTop;
  page.replaceChildren(...drawn(so));
  page.setAttribute("aria-busy", "false");
  document.documentElement.scrollTop = top;
  if (focused) {
    page.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }
}

let last = "";

addEventListener("message", ({ data }: MessageEvent<{ overview?: Overview; goTo?: string }>) => {
  const now = JSON.stringify(data.overview);
  if (data.overview && now !== last) {
    last = now;
    draw(data.overview);
  }
  if (data.goTo) {
    document.getElementById(data.goTo)?.scrollIntoView();
  }
});

setInterval(() => {
  for (const time of page.querySelectorAll<HTMLElement>("time[data-ends]")) {
    time.textContent = countdown((Number(time.getAttribute("data-ends")) - Date.now()) / 1000);
  }
}, 1000);

editor.postMessage({ does: "ready" });
