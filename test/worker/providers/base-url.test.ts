import { expect, test } from "vitest";
import { z } from "zod";
import { ImagesApi, type ImagesApiOptions, OpenAIImageGeneration } from "../../../models.ts";
import { png, sendJson, startProvider } from "./provider-server.ts";

const Answer = z.object({ data: z.array(z.object({ b64_json: z.string() })) });

/** A server of images, and its address with user, password and query. */
async function startServer() {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  const at = (user: string) => `${server.url.replace("//", `//${user}@`)}/v1/?team=7`;
  return { at, received: server.received };
}

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

async function postTo(options: ImagesApiOptions, path = "/make") {
  const api = new ImagesApi(options);
  try {
    const images = (answer: z.infer<typeof Answer>) =>
      answer.data.map(({ b64_json }) => ({ base64: b64_json }));
    return await api.post({ path, body: { prompt: "a fox" }, answer: Answer, images });
  } finally {
    await api.close();
  }
}

test("user and password of a base URL are sent as they are where they are not percent-encoded", async () => {
  const { at, received } = await startServer();
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", baseUrl: at("me:100%") });
  expect((await model.agenerate("a fox")).images).toHaveLength(1);
  expect(received[0]!.headers.authorization).toBe(basic("me:100%"));
});

test("an API of one's own is sent user and password of its base URL, whose query stays behind the path", async () => {
  const { at, received } = await startServer();
  expect((await postTo({ baseUrl: at("me:s%20t") })).images).toHaveLength(1);
  expect(
    (await postTo({ baseUrl: at("me:x"), apiKey: "key" }, "/make?fast=1")).images,
  ).toHaveLength(1);
  const seen = received.map(({ url, headers }) => [url, headers.authorization]);
  expect(seen).toEqual([
    ["/v1/make?team=7", basic("me:s t")],
    ["/v1/make?team=7&fast=1", "Bearer key"],
  ]);
});

test("a header of an API of one's own takes the place of the usual one, however it is written", async () => {
  const { at, received } = await startServer();
  const headers = { Authorization: "Key 7", "Content-Type": "application/json; charset=utf-8" };
  await postTo({ baseUrl: at("me:x"), apiKey: "key", headers });
  expect(received[0]!.headers).toMatchObject({
    authorization: "Key 7",
    "content-type": "application/json; charset=utf-8",
  });
});
