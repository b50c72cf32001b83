import { describe, expect, onTestFinished, test } from "vitest";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isWholeImage } from "../../shared/image-check.ts";
import { openS3Store } from "../../shared/s3-store.ts";
import { s3Storage } from "../../shared/s3-storage.ts";
import { StorageError } from "../../shared/storage.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import { sampleImages } from "../../testing/sample-images.ts";
import { storageConformance, type StorageStage } from "../../testing/storage-conformance.ts";
import { S3Refusal } from "../helpers/s3-objects.ts";
import { openTestServer, openTestStore, testLocation } from "../helpers/s3-stores.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const prefix = "runs/first/";
const file = "images/00000/00000007-0.png";
const anImage = sampleImages(2)[1]!;

function openBucket(refusal: S3Refusal): () => Promise<StorageStage> {
  return async () => {
    const server = await openTestServer();
    return {
      storage: s3Storage(openTestStore(server)),
      other: s3Storage(openTestStore(server)),
      list: async () => [...server.bucket.keys()].map((key) => key.slice(prefix.length)),
      plant: async (name, bytes) => void server.bucket.set(prefix + name, Buffer.from(bytes)),
      whileBroken: async (work) => {
        server.trouble = () => refusal;
        await work();
        server.trouble = () => undefined;
      },
    };
  };
}

describe.each([
  ["denies access", new S3Refusal(403, "AccessDenied")],
  ["asks to slow down", new S3Refusal(503, "SlowDown")],
])("a bucket as an image storage, which at times %s,", (_, refusal) => {
  test.each(storageConformance(openBucket(refusal)))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

describe("a bucket", () => {
  test("keeps the image whose answer was lost, and gives it back as the one that stands", async () => {
    const server = await openTestServer();
    let lost = 1;
    server.trouble = ({ method }) => (method === "PUT" && lost-- > 0 ? "answer lost" : undefined);
    const standing = await s3Storage(openTestStore(server)).put(file, anImage, isWholeImage);
    expect(standing && anImage.equals(standing)).toBe(true);
    expect([...server.bucket.keys()]).toEqual([prefix + file]);
  });

  test("takes a file that is too large for one request in parts, and leaves nothing where one is refused", async () => {
    const server = await openTestServer();
    const path = join(temporaryFolder(), "results.jsonl");
    const bytes = Buffer.alloc(40 * 1024 * 1024, "a line of many\n");
    writeFileSync(path, bytes);
    const store = openTestStore(server);
    await store.putFile("results.jsonl", path);
    expect(server.bucket.get(`${prefix}results.jsonl`)?.equals(bytes)).toBe(true);
    expect(server.requests.filter((request) => request.startsWith("PUT"))).toHaveLength(3);
    server.bucket.clear();
    const refusal = new S3Refusal(403, "AccessDenied");
    server.trouble = ({ query }) => (query.get("partNumber") === "2" ? refusal : undefined);
    await expect(store.putFile("results.jsonl", path)).rejects.toThrow(StorageError);
    expect(server.requests.at(-1)).toBe(`DELETE ${prefix}results.jsonl`);
    expect(server.bucket.size).toBe(0);
  });

  test("names the local file that cannot be read or has become shorter, and keeps nothing of it", async () => {
    const server = await openTestServer();
    const store = openTestStore(server);
    const folder = temporaryFolder();
    await expect(store.putFile("results.jsonl", folder)).rejects.toThrow(StorageError);
    await expect(store.putFile("results.jsonl", folder)).rejects.toThrow(
      `cannot read ${folder}: EISDIR`,
    );
    const path = join(folder, "results.jsonl");
    writeFileSync(path, Buffer.alloc(20 * 1024 * 1024, "a line of many\n"));
    server.trouble = ({ query }) => {
      if (query.get("partNumber") === "1") truncateSync(path, 100);
      return undefined;
    };
    await expect(store.putFile("results.jsonl", path)).rejects.toThrow(
      `cannot read ${path}: expected 4194304 bytes from byte 16777216, got 0`,
    );
    expect(server.requests.at(-1)).toBe(`DELETE ${prefix}results.jsonl`);
    expect(server.bucket.size).toBe(0);
  });

  test("is told apart from one of the same name in another storage", async () => {
    const [one, other] = [await openTestServer(), await openTestServer()];
    const [first, again, elsewhere] = await Promise.all(
      [one, one, other].map((server) => openTestStore(server).storage()),
    );
    expect(first).toMatch(/^\w{8}$/);
    expect(again).toBe(first);
    expect(elsewhere).not.toBe(first);
  });

  test("lists more objects than one answer holds, in order", async () => {
    const server = await openTestServer();
    const names = Array.from({ length: 2_500 }, (_, i) => `images/${String(i).padStart(5, "0")}`);
    for (const name of names) server.bucket.set(prefix + name, Buffer.from("x"));
    server.bucket.set("runs/second/images/1", Buffer.from("x"));
    const listed: string[] = [];
    for await (const { name, bytes } of openTestStore(server).list("images/")) {
      expect(bytes).toBe(1);
      listed.push(name);
    }
    expect(listed).toEqual(names);
  });

  test("takes of several conditional puts over the same version one", async () => {
    const store = openTestStore(await openTestServer());
    const tag = await store.put("a", Buffer.from("0"), "absent");
    expect(tag).toBeDefined();
    expect(await store.put("a", Buffer.from("1"), "absent")).toBeUndefined();
    const puts = ["1", "2", "3"].map((text) => store.put("a", Buffer.from(text), { tag: tag! }));
    const taken = (await Promise.all(puts)).filter((answer) => answer !== undefined);
    expect(taken).toHaveLength(1);
    expect(await store.put("b", Buffer.from("1"), { tag: tag! })).toBeUndefined();
  });
});

const key = { accessKeyId: "AKIANOBODY", secretAccessKey: "hidden-secret" };

describe("what is wrong with a bucket is told with what to do:", () => {
  test.each([
    [
      "it does not exist",
      "s3://no-such-bucket/a",
      {},
      "there is no bucket no-such-bucket: create it",
    ],
    [
      "its key is unknown",
      testLocation,
      { credentials: key },
      "credentials were refused (InvalidAccessKeyId",
    ],
    [
      "no server answers",
      testLocation,
      { endpoint: "http://127.0.0.1:1" },
      "no answer (ECONNREFUSED",
    ],
    [
      "its address is none",
      testLocation,
      { endpoint: "localhost:9000" },
      "set AWS_ENDPOINT_URL_S3 to an address like http://host:9000",
    ],
  ])("%s", async (_, at, options, message) => {
    const store = openTestStore(await openTestServer(), at, options);
    for (const ask of [() => store.get("a"), () => store.put("a", anImage)]) {
      await expect(ask()).rejects.toThrow(StorageError);
      await expect(ask()).rejects.toThrow(`${at}/a: `);
      await expect(ask()).rejects.toThrow(message);
      await expect(ask()).rejects.not.toThrow(/hidden-secret|AKIANOBODY/);
    }
  });

  test("something else answers there", async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const { url: endpoint } = simulator;
    const store = openTestStore(await openTestServer(), testLocation, { endpoint });
    await expect(store.get("a")).rejects.toThrow(
      /what answers there is no S3-compatible storage \([^\n]+\): set AWS_ENDPOINT_URL_S3/,
    );
  });

  test("this machine's clock is wrong", async () => {
    const server = await openTestServer();
    server.trouble = () => new S3Refusal(403, "RequestTimeTooSkewed", "15 minutes off");
    await expect(openTestStore(server).get("a")).rejects.toThrow(
      "this machine's clock is wrong (15 minutes off): set it",
    );
  });

  test("access is denied", async () => {
    const server = await openTestServer();
    server.trouble = () => new S3Refusal(403, "AccessDenied");
    await expect(openTestStore(server).get("a")).rejects.toThrow("s3:ListBucket");
  });

  test.each([
    "s3://",
    "s3://Large/x",
    "s3://pictures/a//b",
    "s3://pictures/../b",
    "s3://ab/x",
    "s3://pictures/a\rb",
  ])("%s is no location", (at) =>
    expect(() => openS3Store(at, {})).toThrow(`expected a location like s3://bucket/folder`),
  );
});
