import { readFile } from "node:fs/promises";
import { messageOf } from "../shared/caught.ts";
import type { Environment } from "../shared/find-key.ts";
import {
  describeRedis,
  parseRedisTarget,
  type RedisCertificates,
  type RedisTarget,
} from "../shared/redis-target.ts";
import { UsageError } from "../shared/usage-error.ts";

/** Files in PEM, by what they hold. */
const certificateVariables = {
  ca: "REDIS_TLS_CA_FILE",
  cert: "REDIS_TLS_CERT_FILE",
  key: "REDIS_TLS_KEY_FILE",
} as const;

/**
 * The Redis that `REDIS_URL` names, with `REDIS_USERNAME` and `REDIS_PASSWORD` or `REDIS_PASSWORD_FILE` before what
 * the URL says, and with the certificates of `REDIS_TLS_…_FILE`; undefined where `REDIS_URL` is not set.
 * @throws UsageError where the URL is malformed, a file cannot be read or a variable does not go with the URL
 */
export async function readRedisTarget(env: Environment): Promise<RedisTarget | undefined> {
  if (!env["REDIS_URL"]) return undefined;
  const password = env["REDIS_PASSWORD"] || undefined;
  const fromFile = password ? undefined : await readSecretFile(env, "REDIS_PASSWORD_FILE");
  const target = parseRedisTarget(env["REDIS_URL"], {
    username: env["REDIS_USERNAME"] || undefined,
    password: password ?? fromFile,
    passwordFile: fromFile && env["REDIS_PASSWORD_FILE"],
    sentinelUsername: env["REDIS_SENTINEL_USERNAME"] || undefined,
    sentinelPassword:
      env["REDIS_SENTINEL_PASSWORD"] || (await readSecretFile(env, "REDIS_SENTINEL_PASSWORD_FILE")),
    certificates: await readCertificates(env),
  });
  refuseIdleCertificates(env, target);
  return target;
}

async function readCertificates(env: Environment): Promise<RedisCertificates> {
  const texts = Object.entries(certificateVariables).map(
    async ([part, variable]) => [part, await readSecretFile(env, variable)] as const,
  );
  return Object.fromEntries(await Promise.all(texts));
}

/** Who gives certificates wants TLS: to go on without would send the password in the clear. */
function refuseIdleCertificates(env: Environment, target: RedisTarget): void {
  const given = Object.values(certificateVariables).find((variable) => env[variable]);
  if (given === undefined || ("tls" in target && target.tls)) return;
  throw new UsageError(
    `expected REDIS_URL to begin with rediss (TLS), since ${given} is set; got ${describeRedis(target)}`,
  );
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
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new UsageError(
      `Expected ${variable} to name a file that can be read, got ${path}: ${messageOf(error)}`,
      { cause: error },
    );
  });
  if (text.trim() === "")
    throw new UsageError(`Expected a text in ${path} (${variable}), got none`);
  return text.trim();
}
