import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  type EmbeddedRedis,
  findRedisServer,
  startEmbeddedRedis,
} from "../../cli/embedded-redis.ts";
import { askRedis } from "../../cli/redis-ask.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { until } from "../helpers/until.ts";

const { PATH = "" } = process.env;

function ask(server: EmbeddedRedis, command: string): Promise<string> {
  const target = parseRedisTarget(server.url);
  if (target.kind !== "socket") throw new Error(`Expected the URL of a socket, got ${server.url}`);
  return askRedis(target.path, command, 5_000);
}

/** A command as it stands in an append-only file. */
function asWritten(words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** Commands that take a while to load. The key that ran out meanwhile is written off as soon as all are. */
function dataOfAWhile(): string {
  const many = Array.from({ length: 200_000 }, () => ["SET", "kept", "yes"]);
  return [["SET", "gone", "1", "PXAT", "1"], ...many].map(asWritten).join("");
}

/** A PATH on which the server is one that may not make any file larger, as on a full disk. */
async function pathOfServerWithoutRoom(folder: string): Promise<string> {
  await mkdir(folder);
  const limited = `#!/bin/sh\ntrap '' XFSZ\nulimit -f 0\nexec "${findRedisServer(PATH)}" "$@"\n`;
  await writeFile(join(folder, "redis-server"), limited, { mode: 0o700 });
  return `${folder}:${PATH}`;
}

test("an embedded Redis that has loaded its data and has no room to write is there: it is not waited for", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "imagemill-embedded-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const first = await startEmbeddedRedis(directory);
  await first.close();
  const log = join(directory, "redis", "appendonlydir", "appendonly.aof.1.incr.aof");
  await appendFile(log, dataOfAWhile());
  const path = await pathOfServerWithoutRoom(join(directory, "bin"));
  const server = stack.use(await startEmbeddedRedis(directory, { PATH: path }));
  await until(async () => expect(await ask(server, "SET more 1")).toMatch(/^-MISCONF /));
  expect(await ask(server, "GET kept")).toBe("$3\r\nyes\r\n");
});
