// Bundles the extension, the library that it loads later, its one web page, and the tests inside the extension host.
import { statSync } from "node:fs";
import { build } from "esbuild";

const MOST_BYTES = 500_000;
const production = process.argv.includes("--production");
const common = { bundle: true, minify: production, sourcemap: production ? false : "linked", logLevel: "warning" };
// `import()` as `require()`: the other bundle is CommonJS, whose names a real `import()` would not find.
const host = {
  ...common,
  supported: { "dynamic-import": false },
  platform: "node",
  target: "node22",
  format: "cjs",
  external: ["vscode"],
};

if (process.argv.includes("--host")) {
  await build({ ...host, sourcemap: false, entryPoints: ["test/host/index.ts"], outfile: "out/host.js" });
} else {
  await build({
    ...host,
    external: ["vscode", "./lsp.js"],
    entryPoints: ["src/extension.ts"],
    outfile: "dist/extension.js",
  });
  await build({ ...host, entryPoints: ["src/lsp.ts"], outfile: "dist/lsp.js" });
  const page = { ...common, platform: "browser", target: "es2022", format: "iife" };
  await build({ ...page, entryPoints: ["src/page/page.ts"], outfile: "dist/page.js" });
  const bytes = ["extension", "lsp", "page"].reduce((sum, name) => sum + statSync(`dist/${name}.js`).size, 0);
  if (production && bytes > MOST_BYTES) {
    throw new Error(`The bundle has ${bytes} bytes, and ${MOST_BYTES} are the most that it may have.`);
  }
}
