import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const text = readFileSync(new URL("docs/gallery.md", root), "utf8");

/** The rows of every table, without heads and rules. */
const rows = text
  .split("\n")
  .filter(
    (line) => line.startsWith("|") && !/^\|\s*(-+|gallery|distilabel 1\.5\.3)\s*\|/.test(line),
  )
  .map((line) => line.slice(1, -1).split("|").at(-1)!.trim());

/** A row's test as a file and a title. */
function testOf(cell: string): { file: string; title: string } {
  const [, file = "", title = ""] = /^`(test\/[\w./-]+\.test\.ts)`: (.+)$/.exec(cell) ?? [];
  return { file, title };
}

test("the tables of docs/gallery.md have a row for each part of the gallery", () => {
  expect(rows.length).toBeGreaterThan(70);
});

test.for(rows)("docs/gallery.md names a test that exists: %s", (cell) => {
  const { file, title } = testOf(cell);
  expect(existsSync(new URL(file, root)) && file).toContain(".test.ts");
  const source = readFileSync(new URL(file, root), "utf8");
  // In the source as one string, or as the first entry of a table of cases.
  expect(source).toContain(`"${title}"`);
});

test("every title of a test of the nine faults is a row", () => {
  const source = readFileSync(new URL("test/worker/providers/nine-faults.test.ts", root), "utf8");
  const faults = Array.from(
    source.matchAll(/^test\("(fault \d: .*)", async/gm),
    ([, title]) => title,
  );
  expect(faults).toHaveLength(9);
  const named = rows.map((cell) => testOf(cell).title);
  for (const fault of faults) expect(named).toContain(fault);
});
