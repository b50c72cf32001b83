import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { z } from "zod";

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

test("package-lock.json holds the native packages of every system, or npm ci would refuse it", async () => {
  const text = await readFile(new URL("../../package-lock.json", import.meta.url), "utf8");
  const packages = Object.entries(Lock.parse(JSON.parse(text)).packages);
  const wanted = packages.flatMap(([, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}),
  );
  const there = new Set(
    packages
      .filter(([, { version }]) => version)
      .map(([path]) => path.split("node_modules/").at(-1)),
  );
  const missing = wanted.filter((name) => !there.has(name));
  expect(wanted.length).toBeGreaterThan(0);
  expect(missing, "run `node scripts/complete-lock.js`").toEqual([]);
});
