import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { satisfies } from "semver";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { RunSummary } from "../../shared/run-file.ts";
import { version } from "../../shared/version.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { installPacked, type Packed } from "../helpers/packed.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tools = join(root, "node_modules", ".bin");
let packed: Packed;

beforeAll(async () => {
  packed = await installPacked();
}, 120_000);
afterAll(() => packed?.remove());

test("the packed command runs a dataset against the simulator", async () => {
  expect(await packed.exec("imagemill", ["--version"])).toBe(`${version}\n`);
  packed.write("prompts.txt", "a red bicycle\na blue bicycle\n");
  const args = ["run", "prompts.txt", "--provider", "simulator", "--out", "out", "--json"];
  const summary = RunSummary.parse(JSON.parse(await packed.exec("imagemill", args)));
  expect(summary).toMatchObject({ state: "completed", images: 2 });
});

test("nothing that the package depends on needs a newer Node than it says itself", () => {
  const Engines = z.object({ node: z.string().optional() });
  const flag = z.boolean().optional();
  const Package = z.object({ dev: flag, optional: flag, engines: Engines.optional() });
  const Lock = z.object({ packages: z.record(z.string(), Package) });
  const lock = Lock.parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const needed = Object.entries(lock.packages).flatMap(([path, { dev, optional, engines }]) =>
    dev || optional || engines?.node === undefined ? [] : [{ path, from: engines.node }],
  );
  const own = needed.find(({ path }) => path === "")!.from;
  expect(own).toBe(">=22.12");
  const newer = needed.filter(({ from }) => !satisfies("22.12.0", from));
  expect(newer).toEqual([]);
});

test("the example that embeds it streams results", async () => {
  await using redis = await startTestRedis();
  await using simulator = await startSimulator();
  packed.write("embed.ts", example("embed.ts"));
  const env = { REDIS_URL: redis.url, OPENAI_BASE_URL: `${simulator.url}/v1` };
  const printed = (await packed.exec("node", ["embed.ts"], env)).trim().split("\n");
  const results = printed.slice(0, 2).toSorted((a, b) => a.localeCompare(b));
  expect(results[0]).toMatch(/^succeeded a blue bicycle images\/00000\/00000001-0\.\w+$/);
  expect(results[1]).toMatch(/^succeeded a red bicycle images\/00000\/00000000-0\.\w+$/);
  expect(printed[2]).toMatch(/^completed by /);
});

test("the example of a provider of one's own works with the package", async () => {
  packed.write("own-provider.ts", example("own-provider.ts"));
  packed.write(
    "check.ts",
    `import { openRun } from "imagemill";
     import { WebuiImageGeneration } from "./own-provider.ts";
     const model = new WebuiImageGeneration({ baseUrl: "http://127.0.0.1:9" });
     console.log(typeof openRun, model.modelName, model.maxGenerationsPerCall, model.takesSeed());
     await model.unload();`,
  );
  expect(await packed.exec("node", ["check.ts"])).toBe("function stable-diffusion-webui 8 true\n");
});

/** An example as it is in a project of its reader's. */
function example(name: string): string {
  const text = readFileSync(join(root, "examples", name), "utf8");
  return text
    .replace(`"../index.ts"`, `"imagemill"`)
    .replace(`"../models.ts"`, `"imagemill/models"`);
}

test("the monitor has the files that it serves", () => {
  const names = readdirSync(join(root, "monitor", "static")).toSorted();
  const own = join(packed.folder, "node_modules", "imagemill", "dist", "monitor", "static");
  expect(names).toContain("style.css");
  expect(readdirSync(own).toSorted()).toEqual(names);
});

test("publint finds nothing to complain of", async () => {
  const printed = await packed.exec(join(tools, "publint"), ["run", packed.tarball, "--strict"]);
  expect(printed).toContain("All good!");
});

test("types and code of every entry are found by ES modules and bundlers", async () => {
  const args = [packed.tarball, "--profile", "esm-only", "--quiet"];
  expect(await packed.exec(join(tools, "attw"), args)).toBe("");
});

test("a user's code typechecks with strict settings and nothing newer than ES2023", async () => {
  mkdirSync(join(packed.folder, "node_modules", "@types"), { recursive: true });
  symlinkSync(
    join(root, "node_modules", "@types", "node"),
    join(packed.folder, "node_modules", "@types", "node"),
  );
  packed.write(
    "tsconfig.json",
    JSON.stringify({
      compilerOptions: {
        target: "es2023",
        lib: ["es2023"],
        module: "nodenext",
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        noEmit: true,
      },
      include: ["consumer.ts"],
    }),
  );
  packed.write(
    "consumer.ts",
    `import { createWorker, openRun, type OwnProvider, type PromptResult } from "imagemill";
     import { OpenAIImageGeneration, type ImageGroup } from "imagemill/models";
     import { startSimulator } from "imagemill/simulator";
     import { localStorage, type ImageStorage } from "imagemill/storage";
     import { providerConformance, storageConformance } from "imagemill/testing";
     export const storage: ImageStorage = localStorage("out");
     export const suites = [providerConformance, storageConformance];
     const simulator = await startSimulator();
     const model = new OpenAIImageGeneration({ model: "imagemill-sim-1", baseUrl: simulator.url });
     export const groups: ImageGroup[][] = await model.generate(["a red bicycle"]);
     const provider: OwnProvider = { name: "own", createModel: () => model };
     const redis = "redis://127.0.0.1:1";
     export async function embed(): Promise<PromptResult[]> {
       const worker = await createWorker({ redis, providers: [provider, "openai"] });
       const run = await openRun({ out: "out", source: ["a"], provider, model: "m", redis });
       run.on("settled", ({ index }) => index.toFixed());
       const results: PromptResult[] = [];
       for await (const result of run.results()) results.push(result);
       await worker.close();
       return results;
     }
     // @ts-expect-error a wrong type is seen
     export const wrong: number = model.modelName;`,
  );
  expect(await packed.exec(join(tools, "tsc"), ["-p", "."])).toBe("");
});
