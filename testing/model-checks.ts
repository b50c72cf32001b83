import assert from "node:assert/strict";
import { UsageError } from "../shared/usage-error.ts";
import {
  callOnce,
  canaryKey,
  onStage,
  reasonOf,
  type ProviderStage,
  type ProviderUnderTest,
} from "./provider-under-test.ts";

/** What a model says of itself, and what it refuses before anything is sent. */
export function modelChecks(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  return {
    "the model has a name and makes a whole number of images in a call": () =>
      onStage(provider, async ({ model }) => {
        assert.ok(model.modelName.length > 0);
        assert.ok(Number.isInteger(model.maxGenerationsPerCall));
        assert.ok(model.maxGenerationsPerCall >= 1);
      }),

    "every parameter is described, for people and as JSON Schema": () =>
      onStage(provider, async ({ model }) => {
        const help = model.describeParameters();
        for (const { name, description, expected } of help)
          assert.ok(description && expected, `\`${name}\` has no description`);
        const { properties = {} } = model.parametersJsonSchema();
        assert.deepEqual(
          Object.keys(new Object(properties)),
          help.map(({ name }) => name),
        );
      }),

    "0, a negative number, a fraction and too many images are refused, unsent": () =>
      onStage(provider, async (stage) => {
        for (const numGenerations of [0, -1, 1.5, stage.model.maxGenerationsPerCall + 1])
          await refused(stage, { numGenerations });
      }),

    "a value of the wrong type is refused by its parameter's name, unsent": () =>
      onStage(provider, async (stage) => {
        for (const { name } of stage.model.describeParameters()) {
          const error = await refused(stage, { parameters: { [name]: { wrong: true } } });
          assert.match(error.message, new RegExp(`\`${name}\``));
        }
      }),

    "a string in the place of the list of inputs is refused": () =>
      onStage(provider, async ({ model, server }) => {
        // @ts-expect-error a string is no list of strings: JavaScript callers do it all the same
        const error = await reasonOf(model.generate("a cat"));
        assert.ok(error instanceof UsageError);
        assert.equal(server.received.length, 0);
      }),

    "the dump holds no key": () =>
      onStage(provider, async ({ model }) => {
        assert.ok(!JSON.stringify(model.dump()).includes(canaryKey));
      }),
  };
}

async function refused(
  { model, server }: ProviderStage,
  options: Parameters<typeof callOnce>[2],
): Promise<UsageError> {
  const error = await reasonOf(callOnce(model, "a cat", options));
  assert.ok(error instanceof UsageError, `Expected a UsageError, got ${String(error)}`);
  assert.equal(server.received.length, 0);
  return error;
}
