import * as fc from "fast-check";
import { expect, test } from "vitest";
import { splitJsonArray } from "../../../producer/dataset/split-json-array.ts";
import { collect } from "../collect.ts";
import { inChunks } from "../../helpers/temporary-folder.ts";

async function split(text: string, chunkSize = 7, maxBytes?: number) {
  const records = splitJsonArray(inChunks(Buffer.from(text), chunkSize), "a.json", maxBytes);
  const all = await collect(records);
  return all.map(({ bytes, problem }) => problem ?? bytes.toString("utf8").trim());
}

test("any array, however it is indented and cut into chunks, splits into its elements", async () => {
  const indent = fc.constantFrom(0, 1, "\t", "\r\n");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue()),
      indent,
      fc.integer({ min: 1, max: 40 }),
      async (array, space, size) => {
        const texts = await split(JSON.stringify(array, null, space), size);
        expect(texts.map((text) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(array)));
      },
    ),
    { numRuns: 300 },
  );
});

test("brackets, commas and escaped quotes inside text end nothing", async () => {
  const array = ['],["', '\\"]', "{", "\\"];
  expect(await split(JSON.stringify(array), 1)).toEqual(array.map((text) => JSON.stringify(text)));
});

test("a broken element leaves its neighbours whole, and a comma before the end is no element", async () => {
  expect(await split('[{"a":1},{oops},,"b",]')).toEqual(['{"a":1}', "{oops}", "", '"b"']);
  expect(await split("[ ]\n")).toEqual([]);
});

test("a file that ends too early and text after the end are told", async () => {
  expect(await split('[1,{"a":')).toEqual([
    "1",
    "expected `]` after 1 element, the file ends too early",
  ]);
  expect(await split("[1] [2]")).toEqual(["1", "expected nothing after the array's closing `]`"]);
});

test("an element over the limit is told with its size and the next one is read", async () => {
  expect(await split(`["${"x".repeat(50)}",2]`, 7, 20)).toEqual([
    "expected a row of at most 20 bytes, got 52",
    "2",
  ]);
});
