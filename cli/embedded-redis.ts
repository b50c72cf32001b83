import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { isDiskTrouble, messageOf } from "../shared/caught.ts";
import { makeFolder } from "../shared/make-folder.ts";
import { parseJson } from "../shared/parse-json.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";
import { askRedis, serverPid } from "./redis-ask.ts";
import {
  endGuarded,
  hasEnded,
  signalGroup,
  spawnGuarded,
  stopLimitMs,
  unrefGuard,
} from "./redis-guard.ts";

/** A Redis server of one run, which ends with the process that started it, however that ends. */
export interface EmbeddedRedis extends AsyncDisposable {
  /** For `parseRedisTarget`. */
  readonly url: string;
  /** The server's process when it became ready; a server that dies is started again as another one. */
  readonly pid: number;
  /** Writes everything to disk and ends the server. */
  close(): Promise<void>;
}

/** What to do where there is no Redis server. */
export const redisInstallAdvice =
  "install it (apt-get install redis-server, dnf install valkey, apk add redis, brew install redis) " +
  "or set REDIS_URL to a Redis of yours";

/** What a server leaves beside its data, so that the next run can end one that is still there. */
const ServerRecord = z.object({ directory: z.string(), socket: z.string(), group: z.int().min(2) });
type ServerRecord = z.infer<typeof ServerRecord>;

/** A Unix socket's path has room for 104 to 108 bytes, by system. */
const maxSocketBytes = 100;
/** A server that answers nothing for so long, not even that it is loading, does not start. */
const silenceLimitMs = 15_000;
const maxLogBytes = 1_000_000;

/**
 * Starts a Redis server that keeps its data in `<stateDirectory>/redis` and finds again what was there. The caller
 * holds the run's lock: a server still alive there is a crashed run's, and is ended first.
 * @throws UsageError where no `redis-server` or `valkey-server` is on `env.PATH`
 * @throws StorageError where the disk is full or may not be written to
 * @throws Error with the end of the server's log where it does not start
 */
export async function startEmbeddedRedis(
  stateDirectory: string,
  env: { PATH?: string | undefined } = process.env,
): Promise<EmbeddedRedis> {
  const path = env.PATH ?? "";
  const binary = findRedisServer(path);
  if (!binary) {
    throw new UsageError(
      `Expected redis-server or valkey-server on PATH to run a Redis of our own: ${redisInstallAdvice}`,
    );
  }
  const directory = resolve(stateDirectory, "redis");
  await makeFolder(directory, 0o700);
  await endLeftover(directory);
  const place: Place = { binary, path, directory, socket: await chooseSocket(directory) };
  const { guard, pid } = await startServer(place).catch(async (error: unknown) => {
    if (!(await setBrokenDataAside(directory, error))) throw error;
    return startServer(place);
  });

  let closing: Promise<void> | undefined;
  const close = () => (closing ??= endServer(guard, place));
  return { url: socketUrl(place.socket), pid, close, [Symbol.asyncDispose]: close };
}

async function endServer(guard: ChildProcess, { directory, socket }: Place): Promise<void> {
  await endGuarded(guard);
  // A guard that was killed has left its server behind.
  await endLeftover(directory);
  await forget(directory, socket);
}

/** The URL of the server that serves a run at this moment; undefined where none does. */
export async function livingEmbeddedRedis(stateDirectory: string): Promise<string | undefined> {
  const directory = resolve(stateDirectory, "redis");
  const record = await readRecord(directory);
  return record && (await isListening(record.socket)) ? socketUrl(record.socket) : undefined;
}

function socketUrl(socket: string): string {
  return `redis+unix://${socket.split("/").map(encodeURIComponent).join("/")}`;
}

/** The first Redis or Valkey server on this PATH. */
export function findRedisServer(path: string): string | undefined {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  return ["redis-server", "valkey-server"]
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((candidate) => existsSync(candidate));
}

interface Place {
  binary: string;
  path: string;
  directory: string;
  socket: string;
}

/** In the run directory where the path is short enough, else in a private folder for temporary files. */
async function chooseSocket(directory: string): Promise<string> {
  const socket = join(directory, "redis.sock");
  if (Buffer.byteLength(socket) < maxSocketBytes) return socket;
  const parent = Buffer.byteLength(tmpdir()) < maxSocketBytes - 30 ? tmpdir() : "/tmp";
  return join(await mkdtemp(join(parent, "imagemill-")), "redis.sock");
}

async function startServer({ binary, path, directory, socket }: Place) {
  const logPath = join(directory, "redis.log");
  const logStart = await startLog(logPath);
  const log = await open(logPath, "a", 0o600);
  try {
    const guard = await spawnGuarded([binary, ...settings(directory, socket)], path, log.fd);
    try {
      const record: ServerRecord = { directory, socket, group: guard.pid! };
      await writeFile(join(directory, "redis.json"), `${JSON.stringify(record)}\n`, {
        mode: 0o600,
      });
      await untilReady(socket, () => hasEnded(guard));
      const pid = await serverPid(socket);
      unrefGuard(guard);
      return { guard, pid };
    } catch (error) {
      await endGuarded(guard);
      throw error;
    }
  } catch (error) {
    if (isDiskTrouble(error)) {
      const why = `a Redis of the run's own cannot start in ${directory}: ${messageOf(error)}`;
      throw new StorageError(why, { cause: error });
    }
    const lines = (await readFile(logPath))
      .subarray(logStart)
      .toString()
      .trim()
      .split("\n")
      .slice(-10);
    throw new Error(
      `Expected ${binary} to start in ${directory}; it did not, and its log ends with:\n${lines.join("\n")}`,
      { cause: error },
    );
  } finally {
    await log.close();
  }
}

function settings(directory: string, socket: string): string[] {
  const values: Record<string, string> = {
    port: "0",
    unixsocket: socket,
    unixsocketperm: "700",
    dir: directory,
    logfile: join(directory, "redis.log"),
    daemonize: "no",
    // A job that Redis evicted would be missed only by the next look for lost jobs.
    "maxmemory-policy": "noeviction",
    appendonly: "yes",
    appendfsync: "everysec",
    "aof-load-truncated": "yes",
    save: "",
  };
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Where this start's part of the log begins; a log that has grown large starts anew. */
async function startLog(logPath: string): Promise<number> {
  const size = existsSync(logPath) ? (await stat(logPath)).size : 0;
  if (size < maxLogBytes) return size;
  await rm(logPath);
  return 0;
}

/**
 * Waits until the server has loaded its data, however long that takes, as long as it says so. One whose disk is full answers
 * with that: it is there, and the run knows how long to wait for such a Redis.
 */
async function untilReady(socket: string, ended: () => boolean): Promise<void> {
  let heardAt = Date.now();
  while (!ended()) {
    const answer = await askRedis(socket, "PING", 1_000).catch(() => undefined);
    if (answer !== undefined && !answer.startsWith("-LOADING")) return;
    if (answer !== undefined) heardAt = Date.now();
    if (Date.now() - heardAt > silenceLimitMs)
      throw new Error(`no answer at ${socket} for ${silenceLimitMs} ms`);
    await delay(answer === undefined ? 5 : 50);
  }
  throw new Error("the server ended before it was ready");
}

/** Ends the server that a crashed run, or a guard that was killed, left in this directory. */
async function endLeftover(directory: string): Promise<void> {
  const record = await readRecord(directory);
  if (!record) return;
  const startedAt = Date.now();
  let signal: NodeJS.Signals | undefined;
  // Process ids come round again: only what still listens at the socket is surely that server. A server closes
  // its socket as its last act, when its data is on disk.
  while (await isListening(record.socket)) {
    const wanted = Date.now() - startedAt < stopLimitMs ? "SIGTERM" : "SIGKILL";
    if (wanted !== signal) {
      signalGroup(record.group, wanted);
      signalGroup(record.group, "SIGCONT");
    }
    signal = wanted;
    await delay(5);
  }
  await forget(directory, record.socket);
}

async function isListening(socket: string): Promise<boolean> {
  return askRedis(socket, "PING", 1_000).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ENOENT" && error.code !== "ECONNREFUSED",
  );
}

/** Undefined where there is none, or it was cut off by a crash in mid-write: the server of that was told to end by its guard. */
async function readRecord(directory: string): Promise<ServerRecord | undefined> {
  const text = await readFile(join(directory, "redis.json"), "utf8").catch(() => "");
  const record = parseJson(ServerRecord, text);
  // A copied run directory brings the record of a server that is not its own.
  return record?.directory === directory ? record : undefined;
}

async function forget(directory: string, socket: string): Promise<void> {
  await rm(join(directory, "redis.json"), { force: true });
  await rm(socket, { force: true });
  if (dirname(socket) !== directory) await rmdir(dirname(socket)).catch(() => {});
}

/** Data that Redis cannot read is kept under another name: all of it can be made again from the journal. */
async function setBrokenDataAside(directory: string, error: unknown): Promise<boolean> {
  const data = join(directory, "appendonlydir");
  const isBroken =
    /(file format|end of file|error) reading the append only file|AOF manifest/i.test(
      String(error),
    );
  if (!isBroken || !existsSync(data)) return false;
  await rename(data, `${data}.broken-${Date.now()}`);
  return true;
}
