import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

const root = new URL("../../", import.meta.url);
let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());

/** A provider of one's own as a configuration has it: one picture, and a parameter. */
const ownModule = `
import { readFileSync } from "node:fs";
import { z } from "${new URL("node_modules/zod/index.js", root).href}";
import { AsyncImageGenerationModel } from "${new URL("models.ts", root).href}";
const picture = readFileSync(${JSON.stringify(new URL("test/fixtures/images/noise.png", root).pathname)});
class OnePicture extends AsyncImageGenerationModel {
  parameters = z.object({ mood: z.enum(["calm", "wild"]).optional() });
  async agenerate() { return { images: [{ bytes: picture }] }; }
}
export default { createModel: () => new OnePicture() };
`;

describe("a configuration", () => {
  test("names a profile with a server and a key's variable; the key is sent and stays out of the run directory", async () => {
    await using stage = await openStage({ apiKey: "sk-from-a-variable" });
    const path = join(stage.folder, "imagemill.config.json");
    const local = {
      kind: "openai",
      baseUrl: stage.env["OPENAI_BASE_URL"],
      keyVariable: "LOCAL_KEY",
    };
    writeFileSync(path, JSON.stringify({ profiles: { local } }));
    delete stage.env["OPENAI_BASE_URL"];
    stage.env["LOCAL_KEY"] = "sk-from-a-variable";
    const dataset = stage.dataset(promptRows(3));
    const args = ["--provider", "local", "--model", "imagemill-sim-1"];
    const end = await stage.run(dataset, ...args);
    expect(end.summary).toMatchObject({ state: "completed", images: 3 });
    const runFile = readFileSync(join(stage.out, ".imagemill", "run.json"), "utf8");
    expect(runFile).toContain(`"name": "local"`);
    expect(runFile).not.toContain("sk-from");
    expect(runFile).not.toContain(stage.simulator.url);
    const again = await stage.cli("resume", stage.out, "--json");
    expect(again.summary).toMatchObject({ state: "completed", images: 3 });
    const doctor = await stage.cli("doctor");
    expect(doctor.stdout).toMatch(/ok +configuration: .*profiles local/);
    expect(doctor.stdout).toMatch(/ok +LOCAL_KEY/);
  });

  test("names a provider of one's own, for producers, workers and models", async () => {
    await using stage = await openStage();
    writeFileSync(join(stage.folder, "mine.ts"), ownModule);
    const config = `export default { profiles: { mine: { module: "./mine.ts" } } };`;
    writeFileSync(join(stage.folder, "imagemill.config.ts"), config);
    stage.env["REDIS_URL"] = redis.url;
    const dataset = stage.dataset(promptRows(2));
    const args = ["--out", stage.out, "--json", "--provider", "mine", "--model", "any"];
    const wrong = await stage.cli("enqueue", dataset, ...args, "-p", "moood=calm");
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain("did you mean `mood`");
    stage.startCli("work");
    const end = await stage.cli("enqueue", dataset, ...args, "-p", "mood=calm", "-n", "2");
    expect(end.summary).toMatchObject({ state: "completed", images: 4 });
    expect(existsSync(join(stage.out, "images", "00000", "00000001-1.png"))).toBe(true);
    const models = await stage.cli("models", "any", "--provider", "mine");
    expect(models.stdout).toContain("mood: calm, wild");
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test.each([
    ["beside createModel", `{ ...mine, limits }`],
    ["in a module", `{ module: "./limited.ts" }`],
    ["beside a module, in the place of its own", `{ module: "./slow.ts", limits }`],
  ])("has limits of a provider of one's own %s", async (_, entry) => {
    await using stage = await openStage();
    const limits = "const limits = { imagesPerMinute: 6 };";
    const files = {
      "mine.ts": ownModule,
      "limited.ts": `import mine from "./mine.ts"; ${limits} export default { ...mine, limits };`,
      "slow.ts": `import mine from "./mine.ts"; export default { ...mine, limits: { imagesPerMinute: 1 } };`,
      "imagemill.config.ts": `import mine from "./mine.ts"; ${limits} export default { profiles: { mine: ${entry} } };`,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(stage.folder, name), text);
    const dataset = stage.dataset(promptRows(3));
    const end = await stage.run(dataset, "--provider", "mine", "--model", "any", "--dry-run");
    expect(JSON.parse(end.stdout)).toMatchObject({ seconds: { atLeast: 30, atMost: 30 } });
  });

  const refused: [string, string, RegExp][] = [
    [
      "a key",
      `{ "local": { "kind": "openai", "apiKey": "sk-secret" } }`,
      /`apiKey` holds what may be a key.*keyVariable/,
    ],
    [
      "a key for its variable",
      `{ "local": { "kind": "openai", "keyVariable": "sk-secret" } }`,
      /keyVariable/,
    ],
    [
      "a misspelt setting",
      `{ "local": { "kind": "openai", "baseUlr": "http://x" } }`,
      /did you mean `baseUrl`/,
    ],
    [
      "a limit beyond any provider",
      `{ "local": { "kind": "openai", "limits": { "imagesPerMinute": 1e300 } } }`,
      /`limits`: expected at most 1e9 a minute/,
    ],
    [
      "a misspelt limit",
      `{ "local": { "kind": "openai", "limits": { "imagePerMinute": 5 } } }`,
      /`limits`: unknown setting `imagePerMinute`, did you mean `imagesPerMinute`/,
    ],
    [
      "a misspelt limit of a module",
      `{ "local": { "module": "./no.ts", "limits": { "imagePerMinute": 5 } } }`,
      /`limits`: unknown setting `imagePerMinute`, did you mean `imagesPerMinute`/,
    ],
    [
      "an unknown kind",
      `{ "local": { "kind": "opena" } }`,
      /`kind`: expected openai or huggingface/,
    ],
    [
      "the name of a built-in provider",
      `{ "openai": { "kind": "openai" } }`,
      /choose another name/,
    ],
    [
      "a module that is not there",
      `{ "local": { "module": "./no.ts" } }`,
      /there is no module .*no\.ts/,
    ],
    ["what is no JSON", `{`, /cannot load .*imagemill\.config\.json/],
  ];
  test.each(refused)(
    "with %s is refused by its file and profile, showing no key",
    async (_, profiles, message) => {
      await using stage = await openStage();
      writeFileSync(join(stage.folder, "imagemill.config.json"), `{ "profiles": ${profiles} }`);
      const dataset = stage.dataset(promptRows(1));
      const end = await stage.run(dataset, "--provider", "local", "--model", "m");
      expect(end.code).toBe(2);
      expect(end.stderr).toMatch(message);
      expect(end.stderr).toContain("imagemill.config.json");
      expect(end.stderr).not.toContain("sk-secret");
    },
  );
});

test("a limit that is misspelt beside createModel is refused by its profile", async () => {
  await using stage = await openStage();
  const entry = `{ createModel: () => ({}), limits: { imagePerMinute: 5 } }`;
  const config = `export default { profiles: { local: ${entry} } };`;
  writeFileSync(join(stage.folder, "imagemill.config.js"), config);
  const end = await stage.run(stage.dataset(promptRows(1)), "--provider", "local", "-m", "m");
  expect(end.code).toBe(2);
  expect(end.stderr).toMatch(/profile `local`: `limits`: unknown .*did you mean `imagesPerMinute`/);
});

test.each([
  ["throws", `() => { throw new Error("no GPU"); }`, /cannot make model `m`: no GPU/],
  ["gives no model", `() => ({})`, /expected createModel .* to give an AsyncImageGenerationModel/],
])("a createModel that %s is its owner's mistake, and told as one", async (_, code, message) => {
  await using stage = await openStage();
  const config = `export default { profiles: { local: { createModel: ${code} } } };`;
  writeFileSync(join(stage.folder, "imagemill.config.js"), config);
  const end = await stage.run(stage.dataset(promptRows(1)), "--provider", "local", "-m", "m");
  expect(end.code).toBe(2);
  expect(end.stderr).toMatch(message);
  expect(end.stderr).not.toContain("    at ");
});
