import type { Scenario } from "../scenario.ts";
import { workersKilled } from "./f01-workers-killed.ts";
import { producerKilled } from "./f02-producer-killed.ts";
import { everythingKilled } from "./f03-everything-killed.ts";

/** Every scenario, in the order of docs/reliability.md. */
export const scenarios: readonly Scenario[] = [workersKilled, producerKilled, everythingKilled];
