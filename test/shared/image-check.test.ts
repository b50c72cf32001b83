import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkHead, checkImage, ImageCheckError } from "../../shared/image-check.ts";

function sample(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/images/${name}`, import.meta.url));
}

function reasonOf(bytes: Uint8Array, caps = {}): string {
  try {
    checkImage(bytes, caps);
  } catch (error) {
    if (error instanceof ImageCheckError) return error.message;
    throw error;
  }
  return "is fine";
}

const samples = [
  ["noise.png", "png", "png", 48, 32],
  ["baseline.jpg", "jpeg", "jpg", 48, 32],
  ["lossy.webp", "webp", "webp", 48, 32],
  ["lossless.webp", "webp", "webp", 9, 7],
  ["alpha.webp", "webp", "webp", 48, 32],
  ["animated.gif", "gif", "gif", 5, 3],
] as const;

describe.each(samples)("%s", (name, format, extension, width, height) => {
  const bytes = sample(name);

  test("its format and size are told", () => {
    expect(checkImage(bytes)).toEqual({
      format,
      extension,
      mediaType: `image/${format}`,
      width,
      height,
    });
  });

  test("it is refused wherever it is cut", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(reasonOf(bytes.subarray(0, length)), `cut at ${length}`).not.toBe("is fine");
    }
  });

  test("its head is taken, and refused where it is too large", () => {
    const head = bytes.subarray(0, 64);
    expect(() => checkHead(head)).not.toThrow();
    if (format === "jpeg") return; // tells its size anywhere
    expect(() => checkHead(head, { maxPixels: width * height - 1 })).toThrow(ImageCheckError);
  });

  test("padding after its end is no fault", () => {
    expect(reasonOf(Buffer.concat([bytes, Buffer.alloc(40)]))).toBe("is fine");
  });

  test("damage never makes the check fail in another way than by saying so", () => {
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(damage, (changes) => {
        const damaged = Buffer.from(bytes);
        for (const [at, value] of changes) damaged[at] = value;
        expect(reasonOf(damaged)).toMatch(/^is /);
      }),
    );
  });
});

test("a view into a larger buffer is checked, not the buffer", () => {
  const bytes = sample("noise.png");
  const larger = Buffer.concat([Buffer.alloc(7), bytes, Buffer.alloc(7)]);
  expect(checkImage(larger.subarray(7, 7 + bytes.length))).toMatchObject({ width: 48 });
});

test.for([
  ["", "empty"],
  ["  <!DOCTYPE html><title>502</title>", "an HTML page"],
  ["<html><body>", "an HTML page"],
  ['{"error":{}}', "JSON"],
  ["<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"],
  ['<?xml version="1.0"?>\n<svg/>', "an SVG drawing"],
  ["<?xml version='1.0'?><Error>AccessDenied</Error>", "XML"],
  ["%PDF-1.7", "a PDF"],
  ["\0\0\0 ftypavif", "an AVIF image"],
  ["Service unavailable", "text"],
  ["\x01\x02\x03", "something else"],
] as const)("%j is not an image, and it is said what it looks like", ([text, name]) => {
  expect(reasonOf(Buffer.from(text, "latin1"))).toBe(
    `is not a PNG, JPEG, WebP or GIF image but ${name}`,
  );
});

test("a JPEG cut at the end of the small picture inside it is cut short", () => {
  const whole = sample("baseline.jpg");
  const thumbnail = Buffer.concat([Buffer.from([0xff, 0xe1, 0, 0]), whole]);
  thumbnail.writeUInt16BE(whole.length + 2, 2);
  const nested = Buffer.concat([whole.subarray(0, 2), thumbnail, whole.subarray(2)]);
  expect(reasonOf(nested)).toBe("is fine");
  expect(reasonOf(nested.subarray(0, 2 + thumbnail.length))).toBe("is a JPEG that is cut short");
});

test("too many bytes and too many pixels by the header are refused", () => {
  const bytes = Buffer.from(sample("noise.png"));
  expect(reasonOf(bytes, { maxBytes: 100 })).toBe(
    `is ${bytes.length} bytes large, more than the limit of 100`,
  );
  expect(reasonOf(bytes, { maxPixels: 48 * 32 - 1 })).toMatch(/^is 48x32 pixels large/);
  bytes.writeUInt32BE(50_000, 16);
  bytes.writeUInt32BE(50_000, 20);
  expect(reasonOf(bytes)).toMatch(/more than the limit of 100000000 pixels/);
  bytes.writeUInt32BE(0, 16);
  expect(reasonOf(bytes)).toBe("is a PNG of 0x50000 pixels");
});

test("a frame of a GIF that is larger than its screen counts", () => {
  const bytes = sample("animated.gif");
  const frame = bytes.indexOf(0x2c, 13 + 3 * 2 ** ((bytes[10]! & 7) + 1));
  bytes.writeUInt16LE(40_000, frame + 5);
  bytes.writeUInt16LE(40_000, frame + 7);
  expect(reasonOf(bytes)).toMatch(/^is 40000x40000 pixels large/);
});
