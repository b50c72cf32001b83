import { expect, test } from "vitest";
import {
  type AsyncImageGenerationModel,
  ImagesApi,
  InferenceEndpointsImageGeneration,
  OpenAIImageGeneration,
} from "../../../models.ts";
import { z } from "zod";
import { rejection, sendJson, startProvider } from "./provider-server.ts";

type Settings = { baseUrl: string; apiKey: string; defaultHeaders: Record<string, string> };

const kinds: [string, (settings: Settings) => AsyncImageGenerationModel][] = [
  ["OpenAI", (settings) => new OpenAIImageGeneration({ model: "gpt-image-2", ...settings })],
  ["Hugging Face", (settings) => new InferenceEndpointsImageGeneration(settings)],
];

/** A server that refuses, and repeats the headers that it was sent. */
async function startEcho() {
  const server = await startProvider(({ headers }, response) =>
    sendJson(response, { error: { message: `not with ${JSON.stringify(headers)}` } }, 400),
  );
  const defaultHeaders = {
    Authorization: "Key gateway-4711",
    "Api-Key": "azure-0815",
    "X-Team": "herons-and-foxes",
  };
  return { ...server, settings: { baseUrl: server.url, apiKey: "own-key", defaultHeaders } };
}

test.each(kinds)(
  "a default header of %s takes the place of the usual one, and its key shows in no message",
  async (_, make) => {
    const { settings, received } = await startEcho();
    await using model = make(settings);
    const error = await rejection(model.agenerate("a fox", { numGenerations: 1, parameters: {} }));
    expect(received[0]!.headers.authorization).toBe("Key gateway-4711");
    expect(String(error)).toContain("herons-and-foxes");
    expect(String(error)).not.toMatch(/4711|0815/);
  },
);

test("a key in a header of an API of one's own shows in no message", async () => {
  const { settings } = await startEcho();
  const { baseUrl, defaultHeaders: headers } = settings;
  const api = new ImagesApi({ baseUrl, headers });
  const body = { prompt: "a fox" };
  const posted = api.post({ path: "/make", body, answer: z.unknown(), images: () => [] });
  expect(String(await rejection(posted))).not.toMatch(/4711|0815/);
  await api.close();
});
