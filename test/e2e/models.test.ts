import { expect, test } from "vitest";
import { listModels } from "../../shared/model-registry.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

test("models ID shows the parameters of the model's schema, for people and as JSON Schema", async () => {
  await using stage = await openStage();
  const text = await stage.cli("models", "gpt-image-2");
  expect(text).toMatchObject({ code: 0, stderr: "" });
  expect(text.stdout).toContain("quality: low, medium, high, auto");
  expect(text.stdout).toContain("output_compression: integer from 0 to 100");
  const { json } = await stage.cli("models", "gpt-image-2", "--json");
  expect(json).toMatchObject({
    id: "gpt-image-2",
    parameters: {
      type: "object",
      properties: {
        quality: { type: "string", enum: ["low", "medium", "high", "auto"] },
        output_compression: { type: "integer", minimum: 0, maximum: 100 },
      },
    },
  });
});

test("a model that was shut down is told from one that ends some day", async () => {
  await using stage = await openStage();
  const { stdout } = await stage.cli("models");
  expect(stdout).toMatch(/^dall-e-3 .*shut down on 2026-05-12$/m);
  const ends = listModels().filter(({ shutdownOn = "" }) => Date.parse(shutdownOn) > Date.now());
  for (const { id, shutdownOn } of ends) {
    expect(stdout).toMatch(new RegExp(`^${id} .*ends on ${shutdownOn}$`, "m"));
    expect((await stage.cli("models", id)).stdout).toContain(`ends on         ${shutdownOn}`);
  }
});

test("a misspelt parameter of a run is refused by the same schema, with the near match", async () => {
  await using stage = await openStage();
  delete stage.env["OPENAI_BASE_URL"];
  stage.env["OPENAI_API_KEY"] = "sk-never-sent";
  const prompts = stage.dataset([{ prompt: "a cat" }]);
  const end = await stage.run(prompts, "--model", "gpt-image-2", "-p", "qualty=low");
  expect(end.code).toBe(2);
  expect(end.stderr).toContain("unknown parameter `qualty`, did you mean `quality`?");
});

test("a parameter that only a compatible server may know is sent, and warned of once", async () => {
  await using stage = await openStage();
  const prompts = stage.dataset(promptRows(3));
  const end = await stage.run(prompts, "--model", "dall-e-3", "-p", "qualty=low");
  expect(end.code).toBe(0);
  const warnings = end.stderr.split("\n").filter((line) => line.includes("qualty"));
  expect(warnings).toEqual([
    "warning: dall-e-3 is not known to take `qualty`, which is sent as it is, did you mean `quality`?",
  ]);
});
