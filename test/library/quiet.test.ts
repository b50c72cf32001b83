import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";
import { startSimulator } from "../../simulator/simulator.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const program = fileURLToPath(new URL("quiet-program.ts", import.meta.url));
const counts = z.array(z.int());
const Told = z.object({
  state: z.string(),
  calls: z.int(),
  before: counts,
  during: counts,
  env: z.array(z.string()),
});

test("the library reads none of the command line's variables, listens to no signal, prints nothing and lets its program end", async () => {
  await using redis = await startTestRedis();
  await using simulator = await startSimulator();
  const out = join(temporaryFolder(), "out");
  const env = {
    PATH: process.env["PATH"] ?? "",
    REDIS_URL: "redis://127.0.0.1:1",
    OPENAI_BASE_URL: "http://127.0.0.1:1",
    OPENAI_API_KEY: "sk-not-for-this",
    HTTP_PROXY: "http://127.0.0.1:1",
    IMAGEMILL_NUM_GENERATIONS: "7",
  };
  const args = [program, redis.url, `${simulator.url}/v1`, out];
  // It ends by itself, since nothing is left that keeps its process.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env });
  expect(stderr).toBe("");
  const told = Told.parse(JSON.parse(stdout));
  expect(told).toMatchObject({ state: "completed", calls: 0, during: told.before });
  const ours = /^(IMAGEMILL|REDIS|OPENAI|HF|HTTPS?_PROXY|https?_proxy|NO_PROXY|no_proxy)/;
  expect(told.env.filter((name) => ours.test(name))).toEqual([]);
  expect(simulator.ledger.images).toBe(2);
});
