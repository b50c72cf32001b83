import { join } from "node:path";
import { rolldown } from "rolldown";

/** The entries of the package, as `exports` and `bin/imagemill.js` have them. */
const entries = ["cli", "index", "models", "storage", "testing", "simulator/simulator"];

/** What every start of a run loads of other packages, in some 510 modules. The rest is imported from node_modules as ever. */
const bundled = [
  "bullmq",
  "commander",
  "hyparquet",
  "hyparquet-writer",
  "ioredis",
  "openai",
  "pino",
  "undici",
  "zod",
];

const define = {
  // BullMQ only packs, and msgpackr's native part only unpacks: finding and loading it took 5 ms of each start.
  "process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED": "'true'",
  // For CommonJS: an ES module has neither.
  __dirname: "import.meta.dirname",
  __filename: "import.meta.filename",
};

/** What a run loads in any case is in three files; what other commands and providers need stays apart. */
const groups = [
  { name: "engine", test: /compiled\/library\/(open-run|create-worker)\.js$/, priority: 3 },
  { name: "providers", test: /compiled\/worker\/providers\/(index|openai)\.js$/, priority: 2 },
  { name: "run", test: /compiled\/cli\/(run-command|drive|logger)\.js$/, priority: 1 },
];

/**
 * Puts compiled modules, and what they need of other packages in any case, together into few files: most of a start was
 * finding and linking 800 modules. Gives the paths of all modules that are in them. See
 * `docs/decisions/2026-11-28-bundled-package.md`.
 */
export async function bundle(compiled: string, dist: string): Promise<string[]> {
  const build = await rolldown({
    input: Object.fromEntries(entries.map((entry) => [entry, join(compiled, `${entry}.js`)])),
    platform: "node",
    // ES modules where a package has both: what is not used of them is left out.
    resolve: { mainFields: ["module", "main"] },
    transform: { define },
    external: isExternal,
    checks: { ineffectiveDynamicImport: false },
  });
  const { output } = await build.write({
    dir: dist,
    format: "esm",
    comments: { legal: true, annotation: false, jsdoc: false },
    codeSplitting: { groups },
    // What the monitor serves lies beside the file that serves it.
    chunkFileNames: ({ moduleIds }) =>
      `${moduleIds.some((id) => id.startsWith(join(compiled, "monitor"))) ? "monitor" : "chunks"}/[name]-[hash].js`,
  });
  await build.close();
  return output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
}

function isExternal(id: string, importer: string | undefined): boolean {
  // The bundler's own: it has what it turns `</script` in a template into.
  const isOwn = /^[./]/.test(id) || id.startsWith("@oxc-project/runtime/");
  if (importer === undefined || isOwn) return false;
  // Packages are bundled with what they import, but for what is native and switched off above.
  if (importer.includes("/node_modules/")) return id === "msgpackr-extract";
  return !bundled.some((name) => id === name || id.startsWith(`${name}/`));
}
