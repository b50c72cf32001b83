// Makes the package in dist/, from nothing: what an earlier build left behind would be published, too.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { writeNotices } from "./notices.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const compiled = join(dist, "compiled");

rmSync(dist, { recursive: true, force: true });
const compiler = join(root, "node_modules", ".bin", "tsc");
const types = ["--declarationDir", dist, "--outDir", compiled];
const { status } = spawnSync(compiler, ["-p", "tsconfig.build.json", ...types], {
  cwd: root,
  stdio: "inherit",
});
if (status !== 0) process.exit(status ?? 1);

// Nobody can import what these declare.
for (const name of ["cli", "cli.d.ts", "monitor"]) rmSync(join(dist, name), { recursive: true });
writeNotices(await bundle(compiled, dist), join(dist, "THIRD-PARTY.txt"));
rmSync(compiled, { recursive: true });
// What the monitor serves to browsers as it is.
cpSync(join(root, "monitor", "static"), join(dist, "monitor", "static"), { recursive: true });
