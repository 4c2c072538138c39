/** Where the program is: the setting, else PATH, else where pipx and uv put it. Must never look into a workspace. */

import * as path from "node:path";

export interface Places {
  /** The setting of scope `machine`; empty for none. */
  configured: string;
  /** The variable PATH. */
  search: string;
  home: string;
  /** The real paths of the open folders: nothing in them is ever run. */
  folders: readonly string[];
  /** The real path of a program that can be run, or undefined. */
  program(file: string): string | undefined;
}

export type Found = { file: string } | { problem: string };

const NAME = "pointsman";

export function findExecutable(places: Places): Found {
  if (places.configured) {
    const file = places.configured.replace(/^~(?=\/)/, places.home);
    if (!path.isAbsolute(file)) {
      return { problem: `The setting pointsman.executable must be a full path, and "${places.configured}" is none.` };
    }
    return places.program(file)
      ? { file }
      : { problem: `The setting pointsman.executable names ${file}, which can't be run.` };
  }
  for (const folder of [...places.search.split(path.delimiter), path.join(places.home, ".local", "bin")]) {
    const file = path.join(folder, NAME);
    const real = path.isAbsolute(folder) && places.program(file);
    if (real && !places.folders.some((open) => isWithin(file, open) || isWithin(real, open))) {
      return { file };
    }
  }
  return { problem: "The program pointsman is not installed, or not on PATH." };
}

function isWithin(file: string, folder: string): boolean {
  const way = path.relative(folder, file);
  return way === "" || !(way === ".." || way.startsWith(`..${path.sep}`) || path.isAbsolute(way));
}
