import { randomBytes } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AnswerBytes } from "../../../worker/providers/answer-bytes.ts";
import { decodeBase64 } from "../../../worker/providers/decode-base64.ts";
import { findLifted, liftBase64 } from "../../../worker/providers/lift-base64.ts";

/** A text as it may arrive: cut at these places. */
function arrived(text: string, cuts: readonly number[] = []): AnswerBytes {
  const bytes = Buffer.from(text);
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  const places = at.toSorted((a, b) => a - b);
  return new AnswerBytes(places.slice(1).map((end, i) => bytes.subarray(places[i], end)));
}

/** Where an answer may be cut: anywhere, and often in the middle of a key, a character or four letters of base64. */
const cuts = fc.oneof(
  fc.array(fc.nat({ max: 20_000 })),
  fc.integer({ min: 1, max: 100 }).map((step) => Array.from({ length: 200 }, (_, i) => i * step)),
);

/** What a reader gets out of an answer's images. */
function readImages(body: AnswerBytes): unknown[] {
  const { text, images } = liftBase64(body);
  const { data }: { data: { b64_json: string; revised_prompt: string }[] } = JSON.parse(text);
  return data.map((item) => [
    (findLifted(item.b64_json, images) ?? decodeBase64(item.b64_json))?.toString("base64"),
    item.revised_prompt,
  ]);
}

test("images taken out of JSON are those that JSON.parse gives, whatever stands around them and however they arrive", () => {
  const item = fc.record({
    size: fc.constantFrom(0, 10, 3000, 3071, 3072, 9000),
    prompt: fc.string({ unit: "binary" }),
  });
  fc.assert(
    fc.property(fc.array(item), fc.constantFrom(undefined, 1, "\t"), cuts, (items, indent, at) => {
      const expected = items.map(({ size, prompt }) => [
        randomBytes(size).toString("base64"),
        `"b64_json": "${prompt}`,
      ]);
      const data = expected.map(([image, revised]) => ({
        b64_json: image,
        revised_prompt: revised,
      }));
      expect(readImages(arrived(JSON.stringify({ data }, null, indent), at))).toEqual(expected);
    }),
  );
});

function lift(value: string): number {
  const pieces = Array.from({ length: 20 }, (_, i) => i * 777);
  const [whole, cut] = [[], pieces].map((at) => liftBase64(arrived(`{"b64_json":${value}}`, at)));
  expect(cut!.text).toBe(whole!.text);
  expect(cut!.images.map((image, i) => image.equals(whole!.images[i]!))).toEqual(
    whole!.images.map(() => true),
  );
  return whole!.images.length;
}

test("long images are taken out; escaped ones, broken ones and other values are left to the parser", () => {
  const image = Buffer.alloc(9000, 255);
  const base64 = image.toString("base64");
  expect(lift(`"${base64}"`)).toBe(1);
  expect(lift(`"${base64.replaceAll("/", "\\/")}"`)).toBe(0);
  expect(lift(`"${base64.replace("/", "*")}"`)).toBe(0);
  expect(lift(`"${base64.replace("/", "/\n")}"`)).toBe(1);
  expect(lift(`"${base64.slice(0, 6000)}==${base64.slice(6000)}"`)).toBe(0);
  expect(lift(`"data:image/png;base64,${base64}"`)).toBe(1);
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
