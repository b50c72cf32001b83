import { afterEach, expect, test, vi } from "vitest";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import { png, rejection, sendBytes, sendJson, startProvider } from "./provider-server.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

type Answer = (image: string) => unknown;

/** What each provider answers to a call, how it tells that it waits and that it is done, and where the image is told. */
const providers: Record<string, { first: Answer; waiting: Answer; done: Answer; result?: Answer }> =
  {
    "fal-ai": {
      first: () => ({
        request_id: "7",
        status: "IN_QUEUE",
        response_url: "https://elsewhere.test/app/requests/7",
      }),
      waiting: () => ({ status: "IN_PROGRESS" }),
      done: () => ({ status: "COMPLETED" }),
      result: (image) => ({ images: [{ url: image }], seed: 5 }),
    },
    "zai-org": {
      first: () => ({ id: "7", task_status: "PROCESSING" }),
      waiting: () => ({ id: "7", task_status: "PROCESSING" }),
      done: (image) => ({ task_status: "SUCCESS", image_result: [{ url: image }] }),
    },
    wavespeed: {
      first: () => ({ data: { urls: { get: "https://elsewhere.test/predictions/7/result" } } }),
      waiting: () => ({ data: { status: "processing" } }),
      done: (image) => ({ data: { status: "completed", outputs: [image] } }),
    },
  };

/** What is answered in place of how far an image is. */
type Miss = number | "reset";

/** The Hub, its router and an image, all on one server; every request has to come through the fetch that is given. */
async function routed(name: string, answers = providers[name]!, misses: Miss[] = []) {
  let polls = 0;
  const server = await startProvider(({ method, url }, response) => {
    const image = "/image";
    if (url === image) return sendBytes(response, png, "image/png");
    if (url.startsWith("/api/models/")) {
      const mapping = { [name]: { providerId: "app", status: "live", task: "text-to-image" } };
      return sendJson(response, { inferenceProviderMapping: mapping });
    }
    if (method === "POST") return sendJson(response, answers.first(image));
    const miss = misses.shift();
    if (miss === "reset") return void response.destroy();
    if (miss) return sendJson(response, { error: "it is not there now" }, miss);
    if (!url.includes("/status") && answers.result)
      return sendJson(response, answers.result(image));
    return sendJson(response, ++polls < 2 ? answers.waiting(image) : answers.done(image));
  });
  const asked: string[] = [];
  const { fetch } = globalThis;
  vi.stubGlobal("fetch", () => Promise.reject(new Error("a fetch that nobody gave")));
  const model = new InferenceEndpointsImageGeneration({
    modelId: `test/${name}`,
    provider: name,
    apiKey: "hf_key",
    fetch: async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      asked.push(`${url.host}${url.pathname}`);
      return await fetch(server.url + url.pathname + url.search, init);
    },
  });
  return { model, asked, received: server.received };
}

test.each([
  [
    "fal-ai",
    [
      "router.huggingface.co/fal-ai/app/requests/7/status",
      "router.huggingface.co/fal-ai/app/requests/7/status",
      "router.huggingface.co/fal-ai/app/requests/7",
    ],
  ],
  [
    "zai-org",
    [
      "router.huggingface.co/zai-org/api/paas/v4/async-result/7",
      "router.huggingface.co/zai-org/api/paas/v4/async-result/7",
    ],
  ],
  [
    "wavespeed",
    [
      "router.huggingface.co/wavespeed/predictions/7/result",
      "router.huggingface.co/wavespeed/predictions/7/result",
    ],
  ],
])(
  "an image that %s makes later is asked for by the client that was given, at the host that was asked",
  async (name, polls) => {
    const { model, asked, received } = await routed(name);
    await using _ = model;
    expect(png.equals((await model.agenerate("a cat")).images[0]!.bytes)).toBe(true);
    expect(asked.slice(2)).toEqual([...polls, "router.huggingface.co/image"]);
    const keys = received.slice(2, -1).map(({ headers }) => headers.authorization);
    expect(new Set(keys)).toEqual(new Set(["Bearer hf_key"]));
  },
);

test("an image that is being made is asked for again where its provider is away for a moment, not bought again", async () => {
  const { model, asked, received } = await routed("zai-org", undefined, [502, "reset"]);
  await using _ = model;
  expect(png.equals((await model.agenerate("a cat")).images[0]!.bytes)).toBe(true);
  expect(received.filter(({ method }) => method === "POST")).toHaveLength(1);
  expect(asked.filter((url) => url.includes("async-result"))).toHaveLength(4);
});

test("an image that is being made is not asked for again where its provider refuses", async () => {
  const { model, asked } = await routed("zai-org", undefined, [422]);
  await using _ = model;
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({ kind: "invalid_request" });
  expect(asked.filter((url) => url.includes("async-result"))).toHaveLength(1);
});

test("a task that fails is a bad response with the provider's words, without the key", async () => {
  const { model } = await routed("wavespeed", {
    ...providers["wavespeed"]!,
    waiting: () => ({ data: { status: "failed", error: "no memory for hf_key" } }),
  });
  await using _ = model;
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({
    kind: "bad_response",
    sent: true,
    message: "no image was made: no memory for [key]",
  });
});
