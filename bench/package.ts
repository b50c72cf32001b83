import { spawnSync } from "node:child_process";
import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./stage.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Builds the package and gives its launcher. It lies in a folder of its own, as its users have it: that of a checkout runs the
 * sources, which take longer to load.
 */
export async function buildPackage(): Promise<string> {
  const { status } = spawnSync(process.execPath, [join(root, "scripts", "build.ts")], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error(`the package could not be built: exit code ${status}`);
  const folder = await temporaryFolder();
  for (const name of ["bin", "dist", "package.json"])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return join(folder, "bin", "imagemill.js");
}
