import { expect, test } from "vitest";
import { findExecutable, type Places } from "../../src/executable";

function found(more: Partial<Places>, ...files: string[]) {
  const places: Places = {
    configured: "",
    search: "",
    home: "/home/me",
    folders: [],
    program: () => undefined,
    ...more,
  };
  const links: Record<string, string> = { "/usr/bin/pointsman": "/code/project/evil" };
  const result = findExecutable({
    ...places,
    program: (file) => (files.includes(file) ? (links[file] ?? file) : undefined),
  });
  return "file" in result ? result.file : result.problem;
}

test("the setting wins", () => {
  const configured = "/opt/pointsman";
  expect(found({ configured, search: "/usr/bin" }, "/opt/pointsman", "/usr/bin/pointsman")).toBe("/opt/pointsman");
});

test("a setting that can't be run is told, and nothing else is tried", () => {
  expect(found({ configured: "/opt/none", search: "/bin" }, "/bin/pointsman")).toContain("can't be run");
  expect(found({ configured: "bin/pointsman" }, "bin/pointsman")).toContain("full path");
});

test("~ is the home", () => {
  expect(found({ configured: "~/p" }, "/home/me/p")).toBe("/home/me/p");
});

test("the first on PATH, then where pipx and uv put it", () => {
  expect(found({ search: "/a:/b" }, "/b/pointsman", "/home/me/.local/bin/pointsman")).toBe("/b/pointsman");
  expect(found({ search: "/a" }, "/home/me/.local/bin/pointsman")).toBe("/home/me/.local/bin/pointsman");
  expect(found({ search: "/a" })).toContain("not installed");
});

test("never from a workspace: not by PATH, not by a relative entry, not through a link", () => {
  const folders = ["/code/project"];
  expect(found({ search: "/code/project/bin", folders }, "/code/project/bin/pointsman")).toContain("not installed");
  expect(found({ search: ".:bin", folders }, "pointsman", "bin/pointsman")).toContain("not installed");
  expect(found({ search: "/usr/bin", folders }, "/usr/bin/pointsman")).toContain("not installed");
  expect(found({ search: "/code/project2", folders }, "/code/project2/pointsman")).toBe("/code/project2/pointsman");
});
