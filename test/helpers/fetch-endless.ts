import { OpenAIImageGeneration } from "../../worker/providers/openai.ts";

// Asks a hostile server for images until all calls have failed, and tells what the process took at most.
const [baseUrl = "", calls = "1"] = process.argv.slice(2);
await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl, timeoutMs: 60_000 });
const before = process.memoryUsage.rss();
let most = before;
const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 5);
const ends = await Promise.allSettled(
  Array.from({ length: Number(calls) }, (_, i) => model.agenerate(`prompt ${i}`)),
);
clearInterval(watch);
const failures = ends.map((end) => (end.status === "rejected" ? String(end.reason) : "an image"));
console.log(JSON.stringify({ failures, grownBytes: most - before }));
