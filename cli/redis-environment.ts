import { readFile } from "node:fs/promises";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { UsageError } from "../shared/usage-error.ts";

/** Environment variables by name, as `process.env` has them. */
export type Environment = Record<string, string | undefined>;

/**
 * The Redis that `REDIS_URL` names, with `REDIS_USERNAME` and `REDIS_PASSWORD` or `REDIS_PASSWORD_FILE` before what
 * the URL says; undefined where `REDIS_URL` is not set.
 * @throws UsageError where the URL is malformed or the file cannot be read
 */
export async function readRedisTarget(env: Environment): Promise<RedisTarget | undefined> {
  if (!env["REDIS_URL"]) return undefined;
  const password = env["REDIS_PASSWORD"] || (await readSecretFile(env, "REDIS_PASSWORD_FILE"));
  return parseRedisTarget(env["REDIS_URL"], {
    username: env["REDIS_USERNAME"] || undefined,
    password,
  });
}

/**
 * The secret in the file that `variable` names, without the newline that editors add; undefined where it is not set.
 * @throws UsageError where the file cannot be read
 */
export async function readSecretFile(
  env: Environment,
  variable: string,
): Promise<string | undefined> {
  const path = env[variable];
  if (!path) return undefined;
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    throw new UsageError(`Expected ${variable} to name a file that can be read, got ${path}`, {
      cause: error,
    });
  }
}
