/**
 * Allocates 320 MB of which each part outlives some collections, as prompts in flight do, and prints how large the young
 * generation has become. `churn-heap.ts bounded|free`
 */
import { setTimeout as delay } from "node:timers/promises";
import { getHeapSpaceStatistics } from "node:v8";
import { boundHeap } from "../../cli/bound-heap.ts";

if (process.argv[2] === "bounded") boundHeap();
const living = Array.from<number[]>({ length: 12_000 });
for (let made = 0; made < 40_000; made++) {
  living[made % living.length] = Array.from<number>({ length: 1_000 }).fill(made);
  if (made % 500 === 0) await delay(1);
}
const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")!;
console.log(young.space_size);
