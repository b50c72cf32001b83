import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { growing } from "../../shared/numbered-parts.ts";
import { PartedCopy } from "../../shared/parted-copy.ts";
import { StorageError } from "../../shared/storage.ts";
import { S3Refusal } from "../helpers/s3-objects.ts";
import type { S3Server } from "../helpers/s3-server.ts";
import { openTestServer, openTestStore } from "../helpers/s3-stores.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const prefix = "runs/first/.imagemill/journal/";

function openCopy(server: S3Server, path = join(temporaryFolder(), "journal.jsonl")) {
  const copy = new PartedCopy(openTestStore(server), growing.journal, path);
  return {
    copy,
    path,
    /** Brings it up to date, and gives what it then holds and which parts that took. */
    refresh: async () => {
      server.requests.length = 0;
      await copy.refresh();
      const fetched = server.requests
        .filter((request) => request.startsWith(`GET ${prefix}`))
        .map((request) => request.slice(`GET ${prefix}`.length).replace(".jsonl", ""));
      return { text: readFileSync(path, "utf8"), fetched: fetched.toSorted() };
    },
  };
}

const digits = (part: number) => String(part).padStart(8, "0");
const put = ({ bucket }: S3Server, part: number, text: string) =>
  bucket.set(`${prefix}${digits(part)}.jsonl`, Buffer.from(text));

/** As a producer does it: first the joined part, then the small ones go. */
function joinParts({ bucket }: S3Server, first: number, last: number, leave = false): void {
  const keys = Array.from({ length: last - first + 1 }, (_, i) => `${prefix}${digits(first + i)}`);
  const bytes = keys.map((key) => bucket.get(`${key}.jsonl`)!);
  bucket.set(`${prefix}${digits(first)}-${digits(last)}.jsonl`, Buffer.concat(bytes));
  if (!leave) for (const key of keys) bucket.delete(`${key}.jsonl`);
}

describe("a copy of a file in parts", () => {
  test("fetches only what is new, also where parts that it has were joined", async () => {
    const server = await openTestServer();
    const { copy, refresh } = openCopy(server);
    expect(await refresh()).toEqual({ text: "", fetched: [] });
    put(server, 1, "one\n");
    put(server, 2, "two\n");
    expect(await refresh()).toEqual({ text: "one\ntwo\n", fetched: ["00000001", "00000002"] });
    put(server, 3, "three\n");
    expect(await refresh()).toEqual({ text: "one\ntwo\nthree\n", fetched: ["00000003"] });
    put(server, 4, "");
    await refresh();
    joinParts(server, 1, 3);
    put(server, 5, "five\n");
    const last = await refresh();
    expect(last).toEqual({ text: "one\ntwo\nthree\nfive\n", fetched: ["00000005"] });
    expect([copy.bytes, copy.rewrites]).toEqual([last.text.length, 0]);
  });

  test("fetches its last part again where that was put again, or joined before anybody knew that it was", async () => {
    const server = await openTestServer();
    const { copy, refresh } = openCopy(server);
    put(server, 1, "one\n");
    put(server, 2, "two\n");
    await refresh();
    put(server, 2, "TWO\n");
    expect(await refresh()).toEqual({ text: "one\nTWO\n", fetched: ["00000002"] });
    put(server, 2, "2nd\n");
    joinParts(server, 1, 2);
    expect((await refresh()).text).toBe("one\n2nd\n");
    expect(copy.rewrites).toBe(2);
  });

  test("is that of the new run where one takes the place of another", async () => {
    const server = await openTestServer();
    const { copy, refresh } = openCopy(server);
    for (const part of [1, 2, 3]) put(server, part, `old ${part}\n`);
    await refresh();
    server.bucket.clear();
    put(server, 1, "new\n");
    expect(await refresh()).toEqual({ text: "new\n", fetched: ["00000001"] });
    server.bucket.clear();
    expect((await refresh()).text).toBe("");
    expect(copy.rewrites).toBe(2);
  });

  test("takes over what an earlier one left as far as it is the same, and no more of it", async () => {
    const server = await openTestServer();
    const { path, refresh } = openCopy(server);
    const texts = ["one\n", "two\n", "three\n"];
    texts.forEach((text, i) => put(server, i + 1, text));
    const whole = (await refresh()).text;
    const next = () => openCopy(server, path).refresh();
    expect(await next()).toEqual({ text: whole, fetched: [] });
    appendFileSync(path, "never kept\n");
    expect(await next()).toEqual({ text: whole, fetched: [] });
    writeFileSync(path, whole.replace("two", "TWO"));
    expect(await next()).toEqual({ text: whole, fetched: ["00000002", "00000003"] });
    truncateSync(path, whole.length - 1);
    expect(await next()).toEqual({ text: whole, fetched: ["00000003"] });
    joinParts(server, 1, 2);
    expect(await next()).toEqual({ text: whole, fetched: [] });
    server.bucket.clear();
    expect(await next()).toEqual({ text: "", fetched: [] });
  });

  test("goes on where the storage broke off, and names a part that is missing", async () => {
    const server = await openTestServer();
    const { copy, refresh } = openCopy(server);
    for (const part of [1, 2, 3]) put(server, part, `${part}\n`);
    server.trouble = ({ key }) =>
      key.endsWith("2.jsonl") ? new S3Refusal(403, "AccessDenied") : undefined;
    await expect(refresh()).rejects.toThrow(StorageError);
    expect(copy.bytes).toBe(2);
    server.trouble = () => undefined;
    expect(await refresh()).toEqual({ text: "1\n2\n3\n", fetched: ["00000002", "00000003"] });
    server.bucket.delete(`${prefix}00000002.jsonl`);
    await expect(refresh()).rejects.toThrow("part 2 is missing");
  });

  test("is after any appends, joins, left-over parts and lost answers what the parts are", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("append" as const), text: fc.string({ maxLength: 3 }) }),
      fc.record({ do: fc.constant("again" as const), text: fc.string({ maxLength: 3 }) }),
      fc.record({ do: fc.constant("join" as const), leave: fc.boolean() }),
      fc.record({ do: fc.constant("look" as const) }),
    );
    const server = await openTestServer();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        server.bucket.clear();
        const { refresh } = openCopy(server);
        const parts: string[] = [];
        const seen: boolean[] = [];
        let joined = 0;
        for (const each of steps) {
          if (each.do === "append") put(server, parts.push(each.text), each.text);
          // Only the last part, while nothing follows it and it was not joined.
          if (each.do === "again" && parts.length > joined) {
            parts[parts.length - 1] = each.text;
            put(server, parts.length, each.text);
          }
          if (each.do === "join" && parts.length > joined + 1) {
            joinParts(server, joined + 1, parts.length, each.leave);
            joined = parts.length;
          }
          if (each.do === "look") seen.push((await refresh()).text === parts.join(""));
        }
        expect((await refresh()).text).toBe(parts.join(""));
        expect(seen).not.toContain(false);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
