// Bundles the extension, its one web page, and the tests that run inside the extension host.
import { build } from "esbuild";

const production = process.argv.includes("--production");
const common = { bundle: true, minify: production, sourcemap: production ? false : "linked", logLevel: "warning" };
const host = { ...common, platform: "node", target: "node22", format: "cjs", external: ["vscode"] };

if (process.argv.includes("--host")) {
  await build({ ...host, sourcemap: false, entryPoints: ["test/host/index.ts"], outfile: "out/host.js" });
} else {
  await build({ ...host, entryPoints: ["src/extension.ts"], outfile: "dist/extension.js" });
  const page = { ...common, platform: "browser", target: "es2022", format: "iife" };
  await build({ ...page, entryPoints: ["src/page/page.ts"], outfile: "dist/page.js" });
}
