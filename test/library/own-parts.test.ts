import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StorageError, type ImageStorage } from "../../shared/storage.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { allResults, OnePicture, onePicture, openLibraryStage, prompts } from "./library-stage.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe("a provider of one's own", () => {
  test("makes the images of its lane; its schema checks parameters, its limits plan calls", async () => {
    await using stage = await openLibraryStage(server);
    OnePicture.calls = [];
    await stage.work({ providers: [onePicture] });
    const asked = { provider: onePicture, model: "any", source: ["short", "x".repeat(41)] };
    const wrong = stage.open({ ...asked, parameters: { stile: "bold" } });
    await expect(wrong).rejects.toThrow(/unknown parameter `stile`, did you mean `style`/);
    const run = await stage.open({ ...asked, parameters: { style: "bold" }, numGenerations: 3 });
    const [short, long] = await allResults(run);
    expect(short?.images.map(({ seed }) => typeof seed)).toEqual([
      "undefined",
      "undefined",
      "number",
    ]);
    expect(long).toMatchObject({ state: "rejected", rejected: { row: 2 } });
    const sizes = OnePicture.calls.map(({ numGenerations }) => numGenerations);
    expect(sizes.toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect(OnePicture.calls.every(({ style }) => style === "bold")).toBe(true);
    expect(readFileSync(join(run.out, short!.images[0]!.file))).toEqual(OnePicture.picture);
  });

  test("has its limits kept by its workers, whatever a run says", async () => {
    await using stage = await openLibraryStage(server);
    OnePicture.calls = [];
    const provider = { ...onePicture, limits: { imagesPerMinute: 1 } };
    await stage.work({ providers: [provider] });
    const run = await stage.open({ provider, model: "any", source: ["first", "second"] });
    await until(() => expect(run.progress().waiting).toMatch(/rate limit/));
    await run.stop();
    expect(OnePicture.calls).toHaveLength(1);
  });

  test("of the same name but another identity is another lane", async () => {
    await using stage = await openLibraryStage(server);
    OnePicture.calls = [];
    await stage.work({ providers: [{ ...onePicture, identity: "elsewhere" }] });
    const run = await stage.open({ provider: onePicture, model: "any", source: ["short"] });
    await until(() => expect(run.progress().workers).toBe(0));
    await run.stop();
    expect(OnePicture.calls).toEqual([]);
  });
});

test("a storage of one's own gets the images of a run, by its location", async () => {
  await using stage = await openLibraryStage(server);
  const places = new Map<string, Map<string, Uint8Array>>();
  const openStorage = (location: string): ImageStorage => {
    const files = new Map<string, Uint8Array>();
    places.set(location, files);
    return {
      get: async (file) => files.get(file),
      put: async (file, bytes, isValid) => {
        if (file.includes("..")) throw new StorageError(`${file}: not here`);
        const standing = files.get(file);
        if (standing && isValid(standing)) return standing;
        files.set(file, bytes);
        return undefined;
      },
    };
  };
  await stage.work({ openStorage });
  const run = await stage.open({ source: prompts(2) });
  expect(await run.finished).toMatchObject({ state: "completed" });
  const stored = [...places.get(run.out)!.keys()].toSorted();
  expect(stored.map((file) => file.replace(/\.\w+$/, ""))).toEqual([
    "images/00000/00000000-0",
    "images/00000/00000001-0",
  ]);
  expect(existsSync(join(run.out, "images"))).toBe(false);
});
