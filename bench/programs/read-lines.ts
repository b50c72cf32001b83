/** The baseline of `resume`: reads a file once, line by line. `read-lines.ts FILE`; prints seconds and memory. */
import { resourceUsage } from "node:process";
import { lineBatches } from "../../shared/line-batches.ts";

const startedAt = performance.now();
let count = 0;
for await (const { lines } of lineBatches(process.argv[2]!)) count += lines.length;
const seconds = (performance.now() - startedAt) / 1000;
console.log(JSON.stringify({ seconds, count, peakRssBytes: resourceUsage().maxRSS * 1024 }));
