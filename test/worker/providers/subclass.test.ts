import { expect, test } from "vitest";
import { UsageError } from "../../../shared/usage-error.ts";
import { Smallest } from "./smallest-model.ts";

test("a subclass writes its parameters and agenerate: defaults are filled in and all else has one", async () => {
  await using model = new Smallest();
  expect(await model.generate(["a"])).toEqual([[{ images: ["eA=="] }]]);
  expect(model.seen).toEqual([{ input: "a", numGenerations: 1, parameters: { steps: 4 } }]);
  expect(model).toMatchObject({ modelName: "Smallest", maxGenerationsPerCall: 1, maxRetries: 6 });
});

test("wrong parameters are refused before anything is sent, with the near match", async () => {
  const model = new Smallest();
  // @ts-expect-error misspelt: JavaScript callers do it all the same
  await expect(model.generate(["a", "b"], { parameters: { step: 3 } })).rejects.toThrow(
    "unknown parameter `step`, did you mean `steps`?",
  );
  expect(model.seen).toEqual([]);
});

test("an option that does not exist is refused: it would be left out in silence", async () => {
  const model = new Smallest();
  const ask = (options: object) => model.generate(["a"], options);
  await expect(ask({ num_generations: 3 })).rejects.toThrow(
    "unknown option `num_generations`, did you mean `numGenerations`?",
  );
  await expect(ask({ steps: 3 })).rejects.toThrow(
    "`steps` is a parameter of the model: give it in `parameters`",
  );
  expect(model.seen).toEqual([]);
});

test("a prompt that is too long fails alone, unsent", async () => {
  class Short extends Smallest {
    override readonly maxPromptChars = 3;
  }
  const model = new Short();
  const [short, long] = await model.generateSettled(["a😀c", "abcd"]);
  expect(short!.state).toBe("succeeded");
  expect(long!.errors).toEqual([new UsageError("the prompt has 4 characters, Short takes 3")]);
  expect(model.seen).toHaveLength(1);
});

test("a warning is told once, and a seed that the model cannot take is not sent", async () => {
  const warnings: string[] = [];
  const model = new Smallest();
  await model.generate(["a", "b"], { seed: 5, onWarning: (text) => warnings.push(text) });
  expect(warnings).toEqual(["Smallest takes no seed: it was not sent"]);
  expect(model.seen).not.toContainEqual(expect.objectContaining({ seed: expect.anything() }));
});
