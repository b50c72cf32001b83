import { everythingKilled } from "../../chaos/scenarios/f03-everything-killed.ts";
import { poisonPrompt } from "../../chaos/scenarios/f14-poison.ts";
import { producerKilled } from "../../chaos/scenarios/f02-producer-killed.ts";
import { rollingRestart } from "../../chaos/scenarios/f13-rolling-restart.ts";
import { twoVersions } from "../../chaos/scenarios/f20-two-versions.ts";
import { workerFrozen } from "../../chaos/scenarios/f08-worker-frozen.ts";
import { workersKilled } from "../../chaos/scenarios/f01-workers-killed.ts";
import { testScenarios } from "./scenarios.ts";

testScenarios([
  workersKilled,
  producerKilled,
  everythingKilled,
  workerFrozen,
  rollingRestart,
  poisonPrompt,
  twoVersions,
]);
