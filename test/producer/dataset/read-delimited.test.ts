import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readDelimited } from "../../../producer/dataset/read-delimited.ts";
import { collect } from "../collect.ts";
import { inChunks } from "../../helpers/temporary-folder.ts";

async function read(text: string, delimiter: "," | "\t", chunkSize = 5, maxBytes?: number) {
  const records = readDelimited(inChunks(Buffer.from(text), chunkSize), delimiter, maxBytes);
  const all = await collect(records);
  return all.map((record) => ("problem" in record ? record.problem : record.fields));
}

const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`;
const field = fc.string({ unit: fc.constantFrom("a", "é", '"', ",", "\t", "\n", "\r", " ", "😀") });
const table = fc
  .integer({ min: 1, max: 4 })
  .chain((width) =>
    fc.array(fc.array(field, { minLength: width, maxLength: width }), { maxLength: 6 }),
  );

test("quoted fields come back as they were written, with any line ends and in any chunks", async () => {
  const delimiters = fc.constantFrom<"," | "\t">(",", "\t");
  const lineEnds = fc.constantFrom("\n", "\r\n");
  await fc.assert(
    fc.asyncProperty(
      table,
      delimiters,
      lineEnds,
      fc.integer({ min: 1, max: 30 }),
      async (rows, delimiter, end, size) => {
        const text = rows.map((row) => row.map(quoted).join(delimiter) + end).join("");
        expect(await read(text, delimiter, size)).toEqual(rows);
      },
    ),
    { numRuns: 500 },
  );
});

test("fields without quotes and delimiters need no quoting", async () => {
  const plain = fc
    .string({ unit: fc.constantFrom("a", "é", "'", " ", "😀"), minLength: 1 })
    .filter((text) => text.trim() !== "");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(plain, plain)),
      fc.integer({ min: 1, max: 30 }),
      async (rows, size) => {
        expect(await read(rows.map((row) => row.join(",")).join("\n"), ",", size)).toEqual(rows);
      },
    ),
  );
});

test("an open quote ends with its line where no closing one comes within the limit", async () => {
  const rows = Array.from({ length: 30 }, (_, row) => [`row ${row}`, "x"]);
  const text = rows.map((row) => row.join("\t")).join("\n");
  expect(await read(`"open\ty\n${text}\n`, "\t", 16, 100)).toEqual([['"open', "y"], ...rows]);
});

test("a line over the limit is told with its size and the next one is read", async () => {
  const text = `a,b\n${"x".repeat(60)},1\nc,d\n`;
  const tooLong = "expected a row of at most 20 bytes, got 62";
  for (const chunkSize of [3, 50, 1000]) {
    expect(await read(text, ",", chunkSize, 20)).toEqual([["a", "b"], tooLong, ["c", "d"]]);
  }
});
