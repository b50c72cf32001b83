import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { connectRedis } from "../shared/redis.ts";
import { describeRedis, type RedisTarget } from "../shared/redis-target.ts";
import type { DoctorCheck } from "./doctor-checks.ts";
import { findRedisServer, redisInstallAdvice } from "./embedded-redis.ts";
import { type Environment, readRedisTarget } from "./redis-environment.ts";

const oldestVersion = "6.2";
/** A Redis that does not answer for so long would stall every worker too. */
const answerLimitMs = 5_000;

/** Checks the Redis that REDIS_URL names, else the server that `run` would start by itself. */
export async function checkRedis(env: Environment): Promise<DoctorCheck[]> {
  let target: RedisTarget | undefined;
  try {
    target = await readRedisTarget(env);
  } catch (error) {
    return [
      {
        name: "redis",
        ok: false,
        detail: messageOf(error),
        fix: "correct REDIS_URL and the variables beside it",
      },
    ];
  }
  if (!target) return [await checkServerBinary(env["PATH"] ?? "")];
  try {
    return checkInfo(target, await readInfo(target));
  } catch (error) {
    return [
      {
        name: "redis",
        ok: false,
        detail: `${describeRedis(target)} does not answer: ${messageOf(error)}`,
        fix: 'start it, or correct REDIS_URL (redis-cli -u "$REDIS_URL" ping)',
      },
    ];
  }
}

async function checkServerBinary(path: string): Promise<DoctorCheck> {
  const name = "redis-server";
  const binary = findRedisServer(path);
  if (!binary)
    return {
      name,
      ok: false,
      detail: "REDIS_URL is not set and there is no server",
      fix: redisInstallAdvice,
    };
  const { stdout } = await promisify(execFile)(binary, ["--version"]);
  const version = /v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? "unknown";
  return versionCheck(name, version, `${binary}, version ${version}; \`run\` starts one by itself`);
}

/** The fields of INFO: any user who may use the queue may ask for it, which is not so for CONFIG. */
async function readInfo(target: RedisTarget): Promise<Map<string, string>> {
  const client = connectRedis(target, { role: "producer", name: "imagemill-doctor" });
  let lastError: unknown;
  client.on("error", (error) => (lastError = error));
  const answered = new AbortController();
  try {
    const text = await Promise.race([
      client.info(),
      delay(answerLimitMs, undefined, { signal: answered.signal }).then(() => {
        throw new Error(`no answer within ${answerLimitMs / 1_000} s`);
      }),
    ]);
    const lines = text.split("\r\n").map((line) => line.split(":"));
    return new Map(
      lines.flatMap(([key, ...value]) => (key ? [[key, value.join(":")] as const] : [])),
    );
  } catch (error) {
    // What the connection said ("connect ECONNREFUSED …") says more than what became of the command.
    throw lastError ?? error;
  } finally {
    answered.abort();
    client.disconnect();
  }
}

function checkInfo(target: RedisTarget, info: Map<string, string>): DoctorCheck[] {
  const version = info.get("redis_version") ?? "unknown";
  const where = `${describeRedis(target)}${target.kind === "cluster" ? " (one node asked)" : ""}`;
  return [
    versionCheck(
      "redis",
      version,
      `${where} answers, version ${info.get("valkey_version") ?? version}`,
    ),
    checkRole(info),
    checkEviction(info),
    checkPersistence(info),
  ];
}

function versionCheck(name: string, version: string, detail: string): DoctorCheck {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNew = major > 6 || (major === 6 && minor >= 2);
  if (isNew) return { name, ok: true, detail };
  return { name, ok: false, detail, fix: `update it to ${oldestVersion} or newer` };
}

function checkRole(info: Map<string, string>): DoctorCheck {
  const role = info.get("role") ?? "unknown";
  const check = { name: "redis role", detail: role };
  if (role === "master") return { ...check, ok: true };
  return {
    ...check,
    ok: false,
    fix: "name the master: a replica takes no writes (redis+sentinel:// finds it)",
  };
}

function checkEviction(info: Map<string, string>): DoctorCheck {
  const policy = info.get("maxmemory_policy") ?? "unknown";
  const limit = info.get("maxmemory") === "0" ? "no limit" : `limit ${info.get("maxmemory_human")}`;
  const check = { name: "redis eviction", detail: `maxmemory-policy ${policy}, ${limit}` };
  if (policy === "noeviction") return { ...check, ok: true };
  return {
    ...check,
    ok: false,
    fix: "set maxmemory-policy noeviction: Redis may throw jobs away otherwise",
  };
}

function checkPersistence(info: Map<string, string>): DoctorCheck {
  const name = "redis persistence";
  if (info.get("aof_enabled") !== "1") {
    return {
      name,
      ok: "warning",
      detail:
        "no append-only file: after a crash of Redis, jobs in flight are added again from the journal",
      fix: "set appendonly yes",
    };
  }
  const failed = ["aof_last_write_status", "aof_last_bgrewrite_status"].filter(
    (field) => info.get(field) === "err",
  );
  if (failed.length === 0) return { name, ok: true, detail: "append-only file" };
  return {
    name,
    ok: false,
    detail: `${failed.join(", ")}: err`,
    fix: "see Redis' log; its disk may be full",
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
