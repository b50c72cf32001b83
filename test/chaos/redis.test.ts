import { redisAway } from "../../chaos/scenarios/f04-redis-away.ts";
import { redisEmptied } from "../../chaos/scenarios/f06-redis-emptied.ts";
import { redisFrozen } from "../../chaos/scenarios/f05-redis-frozen.ts";
import { redisFull } from "../../chaos/scenarios/f07-redis-full.ts";
import { wrongClocks } from "../../chaos/scenarios/f22-wrong-clocks.ts";
import { testScenarios } from "./scenarios.ts";

testScenarios([redisAway, redisFrozen, redisEmptied, redisFull, wrongClocks]);
