import { redisMessage } from "../shared/redis-message.ts";
import { describeRedis, type RedisTarget } from "../shared/redis-target.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { Check } from "./check.ts";
import { judgeRedis } from "./redis-checks.ts";
import { readRedisInfo } from "./redis-info.ts";
import { refusalOf } from "./redis-refusal.ts";

/**
 * Looks at a Redis before it is relied upon, and tells `warn` what will be missed. One that is away is only told of: what
 * needs it waits for it.
 * @throws UsageError where nothing could work before a person has mended it
 */
export async function prepareRedis(
  target: RedisTarget,
  warn: (text: string) => void,
): Promise<void> {
  const where = describeRedis(target);
  let checks: Check[];
  try {
    checks = judgeRedis(target, await readRedisInfo(target));
  } catch (error) {
    refuse(target, error);
    warn(`Redis at ${where} does not answer yet: ${redisMessage(error)}`);
    return;
  }
  const broken = checks.find(({ ok }) => ok === false);
  if (broken) throw new UsageError(`Redis at ${where}: ${textOf(broken)}`);
  for (const check of checks.filter(({ ok }) => ok === "warning"))
    warn(`Redis at ${where}: ${textOf(check)}`);
}

/** @throws UsageError where the error is one that only a person can mend */
export function refuse(target: RedisTarget, error: unknown): void {
  const refusal = refusalOf(error);
  if (!refusal) return;
  throw new UsageError(`Redis at ${describeRedis(target)} ${textOf(refusal)}`, { cause: error });
}

function textOf({ detail, fix }: Pick<Check, "detail" | "fix">): string {
  return fix === undefined ? detail : `${detail}: ${fix}`;
}
