// A program that embeds a run and a worker, and tells what else they did to its process. Arguments: Redis, provider, folder.
import { createWorker, openRun } from "../../index.ts";

const [redis = "", baseUrl = "", out = ""] = process.argv.slice(2);
const read = new Set<string>();
process.env = new Proxy(process.env, {
  get: (target, name) => {
    if (typeof name === "string") read.add(name);
    return typeof name === "string" ? target[name] : undefined;
  },
});
const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
const listeners = () => signals.map((name) => process.listenerCount(name));
const before = listeners();
const provider = { kind: "openai", baseUrl };
const model = "imagemill-sim-1";

await using worker = await createWorker({ redis, providers: [provider] });
await using run = await openRun({ out, source: ["a", "b"], provider, model, redis });
const { state } = await run.finished;
const during = listeners();
const [calls, env] = [worker.callsInFlight(), [...read]];
console.log(JSON.stringify({ state, calls, before, during, env }));
