// Compiles the package into dist/, from nothing: what an earlier build left behind would be published, too.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
rmSync(join(root, "dist"), { recursive: true, force: true });
const compiler = join(root, "node_modules", ".bin", "tsc");
const { status } = spawnSync(compiler, ["-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
// What the monitor serves to browsers as it is.
cpSync(join(root, "monitor", "static"), join(root, "dist", "monitor", "static"), {
  recursive: true,
});
process.exitCode = status ?? 1;
