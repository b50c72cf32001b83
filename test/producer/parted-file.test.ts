import { appendFileSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { acquireObjectLock } from "../../producer/object-lock.ts";
import { PartedFile } from "../../producer/parted-file.ts";
import { RunLostError } from "../../producer/run-lock.ts";
import { growing } from "../../shared/numbered-parts.ts";
import { PartedCopy } from "../../shared/parted-copy.ts";
import { StorageError } from "../../shared/storage.ts";
import type { S3Server } from "../helpers/s3-server.ts";
import { S3Refusal } from "../helpers/s3-objects.ts";
import { openTestServer, openTestStore } from "../helpers/s3-stores.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const prefix = "runs/first/.imagemill/journal/";

interface Writer {
  path: string;
  file: PartedFile;
  /** Appends as a journal does: to the local file first. */
  append: (text: string) => Promise<void>;
}

async function openWriter(server: S3Server): Promise<Writer> {
  const store = openTestStore(server);
  const lock = await acquireObjectLock(store);
  onTestFinished(() => lock[Symbol.asyncDispose]());
  return await openFile(server, lock);
}

async function openFile(
  server: S3Server,
  lock: Awaited<ReturnType<typeof acquireObjectLock>>,
): Promise<Writer> {
  const store = openTestStore(server);
  const path = join(temporaryFolder(), "journal.jsonl");
  const file = await PartedFile.open({ store, folder: growing.journal, path, lock });
  return {
    path,
    file,
    append: async (text) => {
      appendFileSync(path, text);
      await file.append(Buffer.from(text));
    },
  };
}

async function kept(server: S3Server): Promise<string> {
  const path = join(temporaryFolder(), "copy");
  await new PartedCopy(openTestStore(server), growing.journal, path).refresh();
  return readFileSync(path, "utf8");
}

function partsIn(server: S3Server): string[] {
  return [...server.bucket.keys()]
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .toSorted();
}

describe("a file that is kept in parts", () => {
  test("is read back in order by the next life and by who only looks", async () => {
    const server = await openTestServer();
    const { append, file } = await openWriter(server);
    for (const text of ["one\n", "two\n", "three\n"]) await append(text);
    expect(await kept(server)).toBe("one\ntwo\nthree\n");
    await file.close();
    expect(partsIn(server)).toEqual(["00000001-00000004.jsonl"]);
    expect(await kept(server)).toBe("one\ntwo\nthree\n");
  });

  test("does not grow without end in parts: small ones are joined, and nothing of them is lost", async () => {
    const server = await openTestServer();
    const lock = await acquireObjectLock(openTestStore(server));
    onTestFinished(() => lock[Symbol.asyncDispose]());
    let all = "";
    for (let life = 0; life < 5; life++) {
      const { append, path } = await openFile(server, lock);
      expect(readFileSync(path, "utf8")).toBe(all);
      for (let i = 0; i < 50; i++) {
        const line = `line ${i} of life ${life}\n`;
        await append(line);
        all += line;
      }
    }
    expect(partsIn(server).length).toBeLessThanOrEqual(101);
    expect(await kept(server)).toBe(all);
  });

  test("has no part that is much larger than 8 MB, however fast it grows", async () => {
    const server = await openTestServer();
    const { append, file } = await openWriter(server);
    for (let i = 0; i < 12; i++) await append(`${String(i).repeat(3_000_000)}\n`);
    await file.close();
    const sizes = partsIn(server).map((name) => server.bucket.get(prefix + name)!.length);
    expect(Math.max(...sizes)).toBeLessThan(16 * 1024 * 1024);
    expect(sizes.length).toBeLessThan(6);
  });

  test("reads as before where a crash left parts that were joined already, and the next life removes them", async () => {
    const server = await openTestServer();
    const { append, file } = await openWriter(server);
    await append("one\n");
    const part = server.bucket.get(`${prefix}00000002.jsonl`)!;
    await append("two\n");
    await file.close();
    server.bucket.set(`${prefix}00000002.jsonl`, part);
    expect(await kept(server)).toBe("one\ntwo\n");
    await lockedAnew(server);
    expect(partsIn(server)).not.toContain("00000002.jsonl");
    expect(await kept(server)).toBe("one\ntwo\n");
  });

  test("takes nothing of a producer that lost the run, whatever that one still sends", async () => {
    const server = await openTestServer();
    const lock = await acquireObjectLock(openTestStore(server));
    onTestFinished(() => lock[Symbol.asyncDispose]());
    const frozen = await openFile(server, lock);
    await frozen.append("before\n");
    const next = await openFile(server, lock);
    expect(readFileSync(next.path, "utf8")).toBe("before\n");
    await expect(frozen.append("late\n")).rejects.toThrow(RunLostError);
    await next.append("after\n");
    await expect(frozen.append("later\n")).rejects.toThrow(RunLostError);
    expect(await kept(server)).toBe("before\nafter\n");
  });

  test("is cut where the local file is, and goes on from there", async () => {
    const server = await openTestServer();
    const { append, file, path } = await openWriter(server);
    for (const text of ["one\n", "two\nhal", "f a line"]) await append(text);
    await file.cut(8);
    truncateSync(path, 8);
    expect(await kept(server)).toBe("one\ntwo\n");
    await append("three\n");
    expect(await kept(server)).toBe("one\ntwo\nthree\n");
    await file.close();
    expect(await kept(server)).toBe("one\ntwo\nthree\n");
  });

  test("holds lines once whose answer was lost", async () => {
    const server = await openTestServer();
    const { append } = await openWriter(server);
    let lost = 1;
    server.trouble = ({ method }) => (method === "PUT" && lost-- > 0 ? "answer lost" : undefined);
    await append("one\n");
    await append("two\n");
    expect(await kept(server)).toBe("one\ntwo\n");
  });

  test("holds what was tried again instead of what was tried first, though that was there all along", async () => {
    const server = await openTestServer();
    const { file } = await openWriter(server);
    server.trouble = ({ method, key }) =>
      method === "PUT" && key.startsWith(prefix) ? "answer lost" : undefined;
    // The answer to the SDK's second try is lost, too.
    await expect(file.append(Buffer.from("one\n"))).rejects.toThrow(StorageError);
    server.trouble = () => undefined;
    await file.append(Buffer.from("one\ntwo\n"));
    expect(await kept(server)).toBe("one\ntwo\n");
  });

  test.each([
    ["cut", (path: string) => truncateSync(path, 5)],
    ["removed", (path: string) => rmSync(path)],
  ])("stays as it is where the local copy was %s", async (_, spoil) => {
    const server = await openTestServer();
    const { append, file, path } = await openWriter(server);
    for (const text of ["one\n", "two\n", "three\n"]) await append(text);
    spoil(path);
    await file.close();
    expect(await kept(server)).toBe("one\ntwo\nthree\n");
  });

  test("is refused where a part is missing, by its number", async () => {
    const server = await openTestServer();
    const { append } = await openWriter(server);
    for (const text of ["one\n", "two\n", "three\n"]) await append(text);
    server.bucket.delete(`${prefix}00000003.jsonl`);
    await expect(kept(server)).rejects.toThrow("part 3 is missing");
  });

  test("is not waited for at its end while the storage is away", async () => {
    const server = await openTestServer();
    const { append, file } = await openWriter(server);
    await append("one\n");
    server.trouble = () => new S3Refusal(403, "AccessDenied");
    await file.close();
    server.trouble = () => undefined;
    expect(await kept(server)).toBe("one\n");
  });
});

/** Opens it once more, as the next life does. */
async function lockedAnew(server: S3Server): Promise<void> {
  server.bucket.delete("runs/first/.imagemill/run.lock");
  await openWriter(server);
}
