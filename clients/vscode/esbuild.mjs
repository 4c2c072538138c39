// Bundles the extension, its one web page, and the tests that run inside the extension host.
import { build } from "esbuild";

const production = process.argv.includes("--production");
const common = { bundle: true, minify: production, sourcemap: production ? false : "linked", logLevel: "warning" };
const host = { ...common, platform: "node", target: "node22", format: "cjs", external: ["vscode"] };

await build({ ...host, entryPoints: ["src/extension.ts"], outfile: "dist/extension.js" });
await build({
  ...common,
  platform: "browser",
  target: "es2022",
  format: "iife",
  entryPoints: ["src/page/page.ts"],
  outfile: "dist/page.js",
});
if (!production) {
  await build({ ...host, sourcemap: false, entryPoints: ["test/host/index.ts"], outfile: "out/host.js" });
}
