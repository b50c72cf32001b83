import type { Scenario } from "../scenario.ts";
import { workersKilled } from "./f01-workers-killed.ts";
import { producerKilled } from "./f02-producer-killed.ts";
import { everythingKilled } from "./f03-everything-killed.ts";
import { redisAway } from "./f04-redis-away.ts";
import { redisFrozen } from "./f05-redis-frozen.ts";
import { redisEmptied } from "./f06-redis-emptied.ts";
import { redisFull } from "./f07-redis-full.ts";
import { workerFrozen } from "./f08-worker-frozen.ts";
import { throttled } from "./f09-throttled.ts";
import { brokenAnswers } from "./f10-broken-answers.ts";
import { storageTrouble } from "./f11-storage-trouble.ts";
import { refused } from "./f12-refused.ts";
import { rollingRestart } from "./f13-rolling-restart.ts";
import { poisonPrompt } from "./f14-poison.ts";
import { retried } from "./f15-retry.ts";
import { oddRows } from "./f16-odd-rows.ts";
import { damagedDirectory } from "./f17-damaged-directory.ts";
import { twoRuns } from "./f18-two-runs.ts";
import { providerAway } from "./f19-provider-away.ts";
import { twoVersions } from "./f20-two-versions.ts";
import { twoServers } from "./f21-two-servers.ts";
import { wrongClocks } from "./f22-wrong-clocks.ts";
import { flat } from "./f23-flat.ts";

/** Every scenario, in the order of docs/reliability.md. */
export const scenarios: readonly Scenario[] = [
  workersKilled,
  producerKilled,
  everythingKilled,
  redisAway,
  redisFrozen,
  redisEmptied,
  redisFull,
  workerFrozen,
  throttled,
  brokenAnswers,
  storageTrouble,
  refused,
  rollingRestart,
  poisonPrompt,
  retried,
  oddRows,
  damagedDirectory,
  twoRuns,
  providerAway,
  twoVersions,
  twoServers,
  wrongClocks,
  flat,
];
