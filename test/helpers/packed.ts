import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

/** The package as `npm pack` makes it, installed in a folder of its own. */
export interface Packed {
  readonly tarball: string;
  /** A folder that has the package and what it says it depends on, and nothing else. */
  readonly folder: string;
  /** Writes a file into the folder. */
  write(file: string, text: string): void;
  /** Runs a command in the folder, with nothing else in its environment. @throws where it fails, with its output */
  exec(command: string, args: string[], env?: Record<string, string>): Promise<string>;
  remove(): void;
}

/**
 * Packs and installs, without asking a registry: each dependency that the package names is linked to the one of the
 * checkout. One that it forgot to name is missing, as it would be for its users.
 */
export async function installPacked(): Promise<Packed> {
  const folder = mkdtempSync(join(tmpdir(), "imagemill-packed-"));
  const modules = join(folder, "node_modules");
  const own = join(modules, "imagemill");
  mkdirSync(own, { recursive: true });
  mkdirSync(join(modules, ".bin"));
  const packing = await run("npm", ["pack", "--silent", "--pack-destination", folder], {
    cwd: root,
  });
  const tarball = join(folder, packing.stdout.trim().split("\n").at(-1)!);
  await run("tar", ["-xzf", tarball, "-C", own, "--strip-components", "1"]);
  const { dependencies, bin } = z
    .object({
      dependencies: z.record(z.string(), z.string()),
      bin: z.object({ imagemill: z.string() }),
    })
    .parse(JSON.parse(readFileSync(join(own, "package.json"), "utf8")));
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  symlinkSync(join(own, bin.imagemill), join(modules, ".bin", "imagemill"));
  writeFileSync(join(folder, "package.json"), `{ "type": "module", "private": true }`);
  const path = `${join(modules, ".bin")}:${dirname(process.execPath)}:${process.env["PATH"]}`;
  return {
    tarball,
    folder,
    write: (file, text) => writeFileSync(join(folder, file), text),
    exec: async (command, args, env = {}) => {
      const options = { cwd: folder, env: { PATH: path, HOME: folder, ...env } };
      const { stdout } = await run(command, args, options).catch((error: unknown) => {
        const printed = z.object({ stdout: z.string(), stderr: z.string() }).parse(error);
        throw new Error(`${command} failed:\n${printed.stdout}\n${printed.stderr}`, {
          cause: error,
        });
      });
      return stdout;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
