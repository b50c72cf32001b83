// Makes images in one's own program and takes the results as they come. It needs a Redis (REDIS_URL) and a provider (OPENAI_API_KEY,
// or OPENAI_BASE_URL of a server such as `imagemill simulate`). In a project of yours the import is "imagemill".
import { createWorker, openRun } from "../index.ts";

const {
  REDIS_URL: redis = "redis://127.0.0.1:6379",
  OPENAI_API_KEY,
  OPENAI_BASE_URL,
} = process.env;
const provider = { kind: "openai", apiKey: OPENAI_API_KEY, baseUrl: OPENAI_BASE_URL };
const source = ["a red bicycle", { prompt: "a blue bicycle", wheels: 2 }];

await using worker = await createWorker({ redis, providers: [provider], concurrency: 20 });
await using run = await openRun({
  out: "runs/embedded",
  source,
  provider,
  model: "gpt-image-2",
  redis,
});
for await (const { state, prompt, images } of run.results()) {
  console.log(state, prompt, images.map(({ file }) => file).join(" "));
}
console.log((await run.finished).state, "by", worker.id);
