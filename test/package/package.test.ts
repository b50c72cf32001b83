import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { satisfies } from "semver";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { RunSummary } from "../../shared/run-file.ts";
import { version } from "../../shared/version.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import { startScript } from "../helpers/cli.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { installPacked, type Packed } from "../helpers/packed.ts";
import { until } from "../helpers/until.ts";

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

/** Has the start of Node tell at its end which files it has loaded. */
const listing = `
  import { registerHooks } from "node:module";
  import { writeFileSync } from "node:fs";
  const loaded = [];
  registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
  process.on("exit", () => writeFileSync("loaded.json", JSON.stringify(loaded)));`;

test("a run of the packed command loads few files, and none of another package", async () => {
  await using simulator = await startSimulator();
  packed.write("list.mjs", listing);
  packed.write("prompts.txt", "a red bicycle\n");
  const args = ["run", "prompts.txt", "--model", "imagemill-sim-1", "--provider", "openai"];
  const env = { NODE_OPTIONS: "--import=./list.mjs", OPENAI_BASE_URL: `${simulator.url}/v1` };
  await packed.exec("imagemill", [...args, "--out", "few"], env);
  const loaded = z
    .array(z.string())
    .parse(JSON.parse(readFileSync(join(packed.folder, "loaded.json"), "utf8")));
  const files = loaded.filter((url) => url.startsWith("file:"));
  expect(files.some((url) => url.includes("/dist/chunks/engine-"))).toBe(true);
  const others = files.filter((url) => !/\/imagemill\/(dist|bin)\//.test(url));
  expect(others).toEqual([]);
  expect(files.length).toBeLessThan(20);
});

test("its own licence is in it, and those of the packages in its files", () => {
  const own = join(packed.folder, "node_modules", "imagemill");
  expect(readFileSync(join(own, "LICENSE"), "utf8")).toMatch(/Apache License\s+Version 2\.0/);
  const text = readFileSync(join(own, "dist", "THIRD-PARTY.txt"), "utf8");
  for (const name of ["bullmq", "ioredis", "luxon", "openai", "undici", "zod"])
    expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+$`, "m"));
  expect(text).toContain("Apache License");
});

test("the packed monitor serves its pages and their files", async () => {
  const script = join(packed.folder, "node_modules", "imagemill", "bin", "imagemill.js");
  const args = ["monitor", "--listen", "127.0.0.1:0", "--token", "a-long-secret"];
  const place = { cwd: packed.folder, env: {} };
  await using monitor = startScript(script, args, place);
  const url = await until(() => {
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(monitor.stderr);
    if (!found) throw new Error(`expected an address, got ${monitor.stderr}`);
    return found[0];
  });
  const page = await (await fetch(url)).text();
  expect(page).toContain("</html>");
  const assets = [...page.matchAll(/(?:href|src)="(\/[^"]+\.(?:css|js|svg)[^"]*)"/g)];
  expect(assets.length).toBeGreaterThan(2);
  const replies = await Promise.all(assets.map(async ([, path]) => await fetch(url + path)));
  expect(replies.filter(({ ok }) => !ok).map((reply) => reply.url)).toEqual([]);
});

test("a client of the user's own ioredis and a schema of the user's own zod are taken", async () => {
  await using redis = await startTestRedis();
  packed.write(
    "own.ts",
    `import { Redis } from "ioredis";
     import { z } from "zod";
     import { readFileSync } from "node:fs";
     import { AsyncImageGenerationModel, createWorker, openRun } from "imagemill";
     class Own extends AsyncImageGenerationModel {
       modelName = "own";
       maxGenerationsPerCall = 1;
       parameters = z.object({ style: z.enum(["plain", "bold"]).default("plain") });
       async agenerate(prompt, { parameters }) {
         return { images: [{ bytes: readFileSync("picture.png") }], warnings: [parameters.style] };
       }
     }
     const client = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
     const provider = { name: "own", createModel: () => new Own() };
     const wrong = openRun({ out: "own", source: ["a"], provider, model: "own", redis: client, parameters: { style: "plane" } });
     console.log(await wrong.then(() => "taken", (error) => error.message));
     await using worker = await createWorker({ redis: client, providers: [provider] });
     const run = await openRun({ out: "own", source: ["a"], provider, model: "own", redis: client, parameters: { style: "bold" } });
     console.log((await run.finished).state, client.status);
     client.disconnect();`,
  );
  const picture = new URL("../fixtures/images/noise.png", import.meta.url);
  copyFileSync(picture, join(packed.folder, "picture.png"));

  const printed = await packed.exec("node", ["own.ts"], { REDIS_URL: redis.url });
  const [refusal, end] = printed.split("\n");
  expect(refusal).toMatch(/style/);
  expect(end).toBe("completed ready");
});

test("declarations are in it only of what can be imported", () => {
  const dist = join(packed.folder, "node_modules", "imagemill", "dist");
  const declared = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".d.ts"),
  );
  expect(declared).toContain("index.d.ts");
  expect(declared.filter((name) => /^(cli|monitor)\b/.test(name))).toEqual([]);
});

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
