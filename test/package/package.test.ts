import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { satisfies } from "semver";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { RunSummary } from "../../shared/run-file.ts";
import { version } from "../../shared/version.ts";
import { installPacked, type Packed } from "../helpers/packed.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tools = join(root, "node_modules", ".bin");
let packed: Packed;

beforeAll(async () => {
  packed = await installPacked();
}, 120_000);
afterAll(() => packed?.remove());

test("the packed command runs a dataset against the simulator", async () => {
  expect(await packed.exec("imagemill", "--version")).toBe(`${version}\n`);
  packed.write("prompts.txt", "a red bicycle\na blue bicycle\n");
  const args = ["run", "prompts.txt", "--provider", "simulator", "--out", "out", "--json"];
  const summary = RunSummary.parse(JSON.parse(await packed.exec("imagemill", ...args)));
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

test("publint finds nothing to complain of", async () => {
  const printed = await packed.exec(join(tools, "publint"), "run", packed.tarball, "--strict");
  expect(printed).toContain("All good!");
});

test("types and code of every entry are found by ES modules and bundlers", async () => {
  const args = [packed.tarball, "--profile", "esm-only", "--quiet"];
  expect(await packed.exec(join(tools, "attw"), ...args)).toBe("");
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
      include: ["*.ts"],
    }),
  );
  packed.write(
    "consumer.ts",
    `import { createWorker, openRun, type OwnProvider, type PromptResult } from "imagemill";
     import { OpenAIImageGeneration, type ImageGroup } from "imagemill/models";
     import { startSimulator } from "imagemill/simulator";
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
  expect(await packed.exec(join(tools, "tsc"), "-p", ".")).toBe("");
});
