import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";
import { checkImage } from "../../shared/image-check.ts";
import { startSimulator } from "../../simulator/simulator.ts";

const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const Output = z.tuple([z.looseObject({ images: z.tuple([z.string()]) })]);

/** Runs an example as a process of its own, which sees nothing but these variables. */
async function runExample(name: string, env: Record<string, string>) {
  const path = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
  const { stdout } = await promisify(execFile)(node, [path], { env });
  const [output] = Output.parse(JSON.parse(stdout));
  return { output, image: checkImage(Buffer.from(output.images[0], "base64")) };
}

test("the gallery's example of OpenAI makes its image", async () => {
  await using simulator = await startSimulator({ apiKey: "api.key", imageScale: 1 });
  const { output, image } = await runExample("openai.ts", {
    OPENAI_BASE_URL: `${simulator.url}/v1`,
    OPENAI_API_KEY: "api.key",
  });
  expect(image).toMatchObject({ width: 1024, height: 1024 });
  expect(output["revisedPrompts"]).toEqual([expect.stringContaining("a white siamese cat")]);
  expect([...simulator.ledger.records()]).toMatchObject([
    { api: "openai", model: "dall-e-3", prompt: "a white siamese cat", n: 1 },
  ]);
});

test("the gallery's example of Inference Endpoints makes its image", async () => {
  await using simulator = await startSimulator({ apiKey: "api.key", imageScale: 1 });
  const { output, image } = await runExample("inference-endpoints.ts", {
    HF_BASE_URL: simulator.url,
    HF_TOKEN: "api.key",
  });
  expect(image).toMatchObject({ width: 1024, height: 1024 });
  expect(output["seeds"]).toEqual([expect.any(Number)]);
  expect([...simulator.ledger.records()]).toMatchObject([
    {
      api: "huggingface",
      model: "black-forest-labs/FLUX.1-schnell",
      prompt: "a white siamese cat",
      seed: expect.any(Number),
    },
  ]);
});
