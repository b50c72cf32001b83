import { everythingKilled } from "../../chaos/scenarios/f03-everything-killed.ts";
import { producerKilled } from "../../chaos/scenarios/f02-producer-killed.ts";
import { workersKilled } from "../../chaos/scenarios/f01-workers-killed.ts";
import { testScenarios } from "./scenarios.ts";

testScenarios([workersKilled, producerKilled, everythingKilled]);
