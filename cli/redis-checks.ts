import type { Check } from "./check.ts";
import type { RedisInfo } from "./redis-info.ts";
import { describeRedis, type RedisTarget } from "../shared/redis-target.ts";

/** XTRIM MINID came with it; BullMQ recommends it, too. */
const oldestVersion = "6.2";

/** Judges a Redis by its INFO: one check a setting; of several nodes the worst is told. */
export function judgeRedis(target: RedisTarget, infos: readonly RedisInfo[]): Check[] {
  const perNode = infos.map(({ node, fields }) =>
    [
      checkVersion(target, fields),
      checkRole(fields),
      checkForm(target, fields),
      checkEviction(fields),
      checkPersistence(fields),
    ].map((check) => (node === undefined || check.ok === true ? check : atNode(check, node))),
  );
  return perNode.reduce((all, checks) => all.map((check, i) => worse(check, checks[i]!)));
}

const badness = (check: Check) => [true, "warning" as const, false].indexOf(check.ok);

function worse(one: Check, other: Check): Check {
  return badness(other) > badness(one) ? other : one;
}

function atNode(check: Check, node: string): Check {
  return { ...check, detail: `${check.detail} (${node})` };
}

function checkVersion(target: RedisTarget, fields: RedisInfo["fields"]): Check {
  const version = fields.get("redis_version") ?? "unknown";
  const shown = fields.get("valkey_version") ?? version;
  return versionCheck("redis", version, `${describeRedis(target)} answers, version ${shown}`);
}

/** Whether a server is new enough. */
export function versionCheck(name: string, version: string, detail: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNew = major > 6 || (major === 6 && minor >= 2);
  if (isNew) return { name, ok: true, detail };
  return { name, ok: false, detail, fix: `update it to ${oldestVersion} or newer` };
}

function checkRole(fields: RedisInfo["fields"]): Check {
  const role = fields.get("role") ?? "unknown";
  const check = { name: "redis role", detail: role === "slave" ? "replica" : role };
  if (role === "master") return { ...check, ok: true };
  const fix = "name the master: a replica takes no writes (redis+sentinel:// finds it)";
  return { ...check, ok: false, fix };
}

function checkForm(target: RedisTarget, fields: RedisInfo["fields"]): Check {
  const name = "redis form";
  const isCluster = fields.get("cluster_enabled") === "1";
  if (isCluster === (target.kind === "cluster"))
    return { name, ok: true, detail: isCluster ? "cluster" : "one master" };
  return {
    name,
    ok: "warning",
    detail: "a node of a Redis Cluster, asked as if it were alone",
    fix: "use redis+cluster:// in REDIS_URL, so that a failover is followed",
  };
}

function checkEviction(fields: RedisInfo["fields"]): Check {
  const policy = fields.get("maxmemory_policy") ?? "unknown";
  const hasLimit = fields.get("maxmemory") !== "0";
  const limit = hasLimit ? `limit ${fields.get("maxmemory_human")}` : "no limit";
  const check = { name: "redis eviction", detail: `maxmemory-policy ${policy}, ${limit}` };
  if (policy === "noeviction") return { ...check, ok: true };
  const fix = "set maxmemory-policy noeviction: Redis may throw jobs away otherwise";
  return { ...check, ok: "warning", fix };
}

function checkPersistence(fields: RedisInfo["fields"]): Check {
  const name = "redis persistence";
  if (fields.get("aof_enabled") !== "1") {
    return {
      name,
      ok: "warning",
      detail:
        "no append-only file: after a crash of Redis, jobs in flight are added again from the journal",
      fix: "set appendonly yes",
    };
  }
  const failed = ["aof_last_write_status", "aof_last_bgrewrite_status"].filter(
    (field) => fields.get(field) === "err",
  );
  if (failed.length === 0) return { name, ok: true, detail: "append-only file" };
  return {
    name,
    // Redis takes no writes while the first one fails.
    ok: failed.includes("aof_last_write_status") ? false : "warning",
    detail: `${failed.join(", ")}: err`,
    fix: "see Redis' log; its disk may be full",
  };
}
