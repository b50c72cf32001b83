import { throttled } from "../../chaos/scenarios/f09-throttled.ts";
import { brokenAnswers } from "../../chaos/scenarios/f10-broken-answers.ts";
import { refused } from "../../chaos/scenarios/f12-refused.ts";
import { retried } from "../../chaos/scenarios/f15-retry.ts";
import { providerAway } from "../../chaos/scenarios/f19-provider-away.ts";
import { twoServers } from "../../chaos/scenarios/f21-two-servers.ts";
import { testScenarios } from "./scenarios.ts";

testScenarios([throttled, brokenAnswers, refused, retried, providerAway, twoServers]);
