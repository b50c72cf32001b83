import assert from "node:assert/strict";
import { callOnce, canaryKey, onStage, type ProviderUnderTest } from "./provider-under-test.ts";
import { sampleImages } from "./sample-images.ts";

/** What a call is: one request, and the provider's own bytes. */
export function callChecks(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  return {
    "one call is one request, with the prompt in it": () =>
      onStage(provider, async ({ model, server }) => {
        await callOnce(model, 'a "cat" in größe');
        assert.equal(server.received.length, 1);
        assert.equal(provider.readCall(server.received[0]!).prompt, 'a "cat" in größe');
      }),

    "images come back in order, byte for byte": () =>
      onStage(provider, async ({ model }) => {
        const count = model.maxGenerationsPerCall;
        const { images } = await callOnce(model, "a cat", { numGenerations: count });
        const bytes = images.map((image) => Buffer.from(image.bytes));
        assert.deepEqual(bytes, sampleImages(count));
      }),

    "as many images are asked for as a call says": () =>
      onStage(provider, async ({ model, server }) => {
        for (const numGenerations of [1, model.maxGenerationsPerCall])
          await callOnce(model, "a cat", { numGenerations });
        const asked = server.received.map((request) => provider.readCall(request).numGenerations);
        assert.deepEqual(asked, [1, model.maxGenerationsPerCall]);
      }),

    "the key is sent, and calls work before load, after it and after unload": () =>
      onStage(provider, async ({ model, server }) => {
        await callOnce(model, "first");
        await model.load();
        await model.load();
        await callOnce(model, "second");
        await model.unload();
        await callOnce(model, "third");
        assert.equal(server.received.length, 3);
        for (const { headers } of server.received)
          assert.equal(headers.authorization, `Bearer ${canaryKey}`);
      }),

    "twenty calls at once do not disturb each other": () =>
      onStage(provider, async ({ model, server }) => {
        const prompts = Array.from({ length: 20 }, (_, i) => `prompt ${i}`);
        const answers = await Promise.all(prompts.map((prompt) => callOnce(model, prompt)));
        assert.ok(answers.every(({ images }) => images.length === 1));
        const asked = server.received.map((request) => provider.readCall(request).prompt);
        assert.deepEqual(asked.toSorted(), prompts.toSorted());
      }),

    "a seed is sent where the model takes seeds, and images tell theirs": () =>
      onStage(provider, async ({ model, server }) => {
        const { images } = await callOnce(model, "a cat", { seed: 77 });
        const sent = provider.readCall(server.received[0]!).seed;
        if (model.takesSeed()) assert.equal(sent, 77);
        if (sent !== undefined) assert.equal(images[0]!.seed, 77);
      }),

    "fewer images than asked for are no failure": () =>
      onStage(
        provider,
        async ({ model }) => {
          const count = model.maxGenerationsPerCall;
          if (count === 1) return;
          const { images } = await callOnce(model, "a cat", { numGenerations: count });
          assert.equal(images.length, 1);
        },
        { respond: () => provider.answer(sampleImages(1)) },
      ),

    "generate keeps the inputs' order and groups as the gallery does": () =>
      onStage(provider, async ({ model, server }) => {
        const most = model.maxGenerationsPerCall;
        const groups = await model.generate(["a", "b"], { numGenerations: 3, concurrency: 2 });
        const sizes = groups.map((input) => input.map(({ images }) => images.length));
        assert.deepEqual(
          sizes,
          most > 1
            ? [[3], [3]]
            : [
                [1, 1, 1],
                [1, 1, 1],
              ],
        );
        assert.equal(server.received.length, 2 * Math.ceil(3 / most));
        assert.deepEqual(await model.generate([]), []);
      }),
  };
}
