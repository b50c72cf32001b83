import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const Package = z.object({ name: z.string(), version: z.string() });

/**
 * Writes which packages these modules are of, and under which licences, as those ask for.
 * @throws Error where a package has no licence file
 */
export function writeNotices(modules: readonly string[], path: string): void {
  const packages = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? []);
  const notices = [...new Set(packages)].toSorted((a, b) => a.localeCompare(b)).map(noticeOf);
  const head =
    "The files of this package hold parts of these packages, each under its own licence.\n";
  writeFileSync(path, [head, ...notices].join(`\n${"-".repeat(80)}\n\n`));
}

function noticeOf(folder: string): string {
  const { name, version } = Package.parse(
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
  );
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (file === undefined) throw new Error(`${folder} is put into dist/ and has no licence file`);
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}
