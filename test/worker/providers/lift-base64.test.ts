import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBase64 } from "../../../worker/providers/decode-base64.ts";
import { findLifted, liftBase64 } from "../../../worker/providers/lift-base64.ts";

/** What a reader gets out of an answer's images. */
function readImages(json: string): unknown[] {
  const { text, images } = liftBase64(Buffer.from(json));
  const { data }: { data: { b64_json: string; revised_prompt: string }[] } = JSON.parse(text);
  return data.map((item) => [
    findLifted(item.b64_json, images) ?? decodeBase64(item.b64_json),
    item.revised_prompt,
  ]);
}

test("images taken out of JSON are those that JSON.parse gives, whatever stands around them", () => {
  const item = fc.record({
    size: fc.constantFrom(0, 10, 3000, 3071, 3072, 9000),
    prompt: fc.string({ unit: "binary" }),
  });
  fc.assert(
    fc.property(fc.array(item), fc.constantFrom(undefined, 1, "\t"), (items, indent) => {
      const expected = items.map(({ size, prompt }) => [
        randomBytes(size),
        `"b64_json": "${prompt}`,
      ]);
      const data = expected.map(([image, revised]) => ({
        b64_json: image!.toString("base64"),
        revised_prompt: revised,
      }));
      expect(readImages(JSON.stringify({ data }, null, indent))).toEqual(expected);
    }),
  );
});

function lift(value: string): number {
  return liftBase64(Buffer.from(`{"b64_json":${value}}`)).images.length;
}

test("long images are taken out; escaped ones, broken ones and other values are left to the parser", () => {
  const image = Buffer.alloc(9000, 255);
  const base64 = image.toString("base64");
  expect(lift(`"${base64}"`)).toBe(1);
  expect(lift(`"${base64.replaceAll("/", "\\/")}"`)).toBe(0);
  expect(lift(`"${base64.replace("/", "*")}"`)).toBe(0);
  expect(lift("null")).toBe(0);
  expect(lift(`"${base64}`)).toBe(0);
});

test("base64 is decoded with line ends, without padding and from data URLs; anything else is refused", () => {
  const bytes = Buffer.from("any bytes");
  expect(decodeBase64("YW55IGJ5\r\ndGVz")).toEqual(bytes);
  expect(decodeBase64("YW55IGJ5dGU")).toEqual(Buffer.from("any byte"));
  expect(decodeBase64("data:image/png;base64,YW55IGJ5dGVz")).toEqual(bytes);
  expect(decodeBase64("YW55IGJ5dGV*")).toBeUndefined();
  expect(decodeBase64("<html>")).toBeUndefined();
});
