import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { messageOf } from "../shared/caught.ts";
import type { Environment } from "../shared/find-key.ts";
import { redisMessage } from "../shared/redis-message.ts";
import { describeRedis, type RedisTarget } from "../shared/redis-target.ts";
import type { Check } from "./check.ts";
import { findRedisServer, redisInstallAdvice } from "./embedded-redis.ts";
import { judgeRedis, versionCheck } from "./redis-checks.ts";
import { readRedisTarget } from "./redis-environment.ts";
import { readRedisInfo } from "./redis-info.ts";
import { refusalOf } from "./redis-refusal.ts";

/** A program that prints its version takes milliseconds. */
const answerLimitMs = 5_000;

/** Checks the Redis that REDIS_URL names, else the server that `run` would start by itself. */
export async function checkRedis(env: Environment): Promise<Check[]> {
  let target: RedisTarget | undefined;
  try {
    target = await readRedisTarget(env);
  } catch (error) {
    const fix = "correct REDIS_URL and the variables beside it";
    return [{ name: "redis", ok: false, detail: messageOf(error), fix }];
  }
  if (!target) return [await checkServerBinary(env["PATH"] ?? "")];
  try {
    return judgeRedis(target, await readRedisInfo(target));
  } catch (error) {
    return [noAnswer(target, error)];
  }
}

function noAnswer(target: RedisTarget, error: unknown): Check {
  const where = describeRedis(target);
  const refusal = refusalOf(error);
  if (refusal)
    return { name: "redis", ok: false, ...refusal, detail: `${where} ${refusal.detail}` };
  return {
    name: "redis",
    ok: false,
    detail: `${where} does not answer: ${redisMessage(error)}`,
    fix: "start it, or correct REDIS_URL: a server that closes the connection may want rediss:// (TLS), or a certificate of the client, too",
  };
}

async function checkServerBinary(path: string): Promise<Check> {
  const name = "redis-server";
  const binary = findRedisServer(path);
  if (!binary)
    return {
      name,
      ok: false,
      detail: "REDIS_URL is not set and there is no server",
      fix: redisInstallAdvice,
    };
  try {
    const { stdout } = await promisify(execFile)(binary, ["--version"], { timeout: answerLimitMs });
    const version = /v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? "unknown";
    const detail = `${binary}, version ${version}; \`run\` starts one by itself`;
    return versionCheck(name, version, detail);
  } catch (error) {
    const detail = `${binary} does not tell its version: ${messageOf(error).trim()}`;
    return { name, ok: false, detail, fix: redisInstallAdvice };
  }
}
