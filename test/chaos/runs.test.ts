import { storageTrouble } from "../../chaos/scenarios/f11-storage-trouble.ts";
import { oddRows } from "../../chaos/scenarios/f16-odd-rows.ts";
import { damagedDirectory } from "../../chaos/scenarios/f17-damaged-directory.ts";
import { twoRuns } from "../../chaos/scenarios/f18-two-runs.ts";
import { flat } from "../../chaos/scenarios/f23-flat.ts";
import { testScenarios } from "./scenarios.ts";

testScenarios([storageTrouble, oddRows, damagedDirectory, twoRuns, flat]);
