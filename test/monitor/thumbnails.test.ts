import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import sharp from "sharp";
import { expect, test } from "vitest";
import { Thumbnails } from "../../monitor/thumbnails.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { until } from "../helpers/until.ts";

const hourMs = 3_600_000;

/** Images that differ by their version alone, and each take about as many bytes. */
async function imageMaker() {
  const noise = { type: "gaussian" as const, mean: 128, sigma: 60 };
  const create = { width: 200, height: 200, channels: 3 as const, background: "red", noise };
  const bytes = await sharp({ create }).png().toBuffer();
  return (version: string) => ({
    bytes: bytes.length,
    version,
    read: async () => Readable.from([bytes]),
  });
}

function open(directory: string, mostBytes?: number) {
  const errors: Error[] = [];
  const onError = (error: Error) => void errors.push(error);
  const thumbnails = new Thumbnails(directory, { ...(mostBytes && { mostBytes }), onError });
  return { thumbnails, errors };
}

function filesIn(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return names.map((name) => join(directory, name)).filter((path) => statSync(path).isFile());
}

test("the cache of a monitor that goes on and on stays within its bound; the newest thumbnails stay", async () => {
  const directory = temporaryFolder();
  const imageOf = await imageMaker();
  const { length } = await open(temporaryFolder()).thumbnails.get(imageOf("any"));
  const { thumbnails, errors } = open(directory, 8 * length);
  const keptBytes = () => filesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0);
  for (let i = 0; i < 30; i++) {
    await thumbnails.get(imageOf(`image ${i}`));
    await until(() => expect(keptBytes()).toBeLessThanOrEqual(8 * length * 1.25 + length));
  }
  const before = filesIn(directory);
  await thumbnails.get(imageOf("image 29"));
  expect(filesIn(directory)).toEqual(before);
  expect(before.length).toBeGreaterThan(4);
  expect(errors).toEqual([]);
});

test("what was made a month ago, or left half written by a crash, is removed; what is newer stays", async () => {
  const directory = temporaryFolder();
  const folder = join(directory, "ab");
  mkdirSync(folder);
  const now = Date.now();
  const ages = { "old.webp": 31 * 24, "new.webp": 29 * 24, "left.webp.0a": 2, "begun.webp.0b": 0 };
  for (const [name, hours] of Object.entries(ages)) {
    writeFileSync(join(folder, name), "bytes");
    const at = new Date(now - hours * hourMs);
    utimesSync(join(folder, name), at, at);
  }
  await open(directory).thumbnails.tidy(now);
  expect(readdirSync(folder).toSorted()).toEqual(["begun.webp.0b", "new.webp"]);
});

test("a cache that cannot be read is told of", async () => {
  const file = join(temporaryFolder(), "no folder");
  writeFileSync(file, "");
  const { thumbnails, errors } = open(file);
  await thumbnails.tidy();
  expect(errors).toMatchObject([{ code: "ENOTDIR" }]);
});
