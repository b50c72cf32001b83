import { expect, test } from "vitest";
import { createModel } from "../../../worker/providers/index.ts";
import { png, sendBytes, sendJson, startProvider } from "./provider-server.ts";

test("a profile's kind decides which API is spoken", async () => {
  const server = await startProvider(({ url }, response) =>
    url.startsWith("/models/")
      ? sendBytes(response, png, "image/png")
      : sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  for (const kind of ["openai", "huggingface"] as const) {
    const profile = { name: kind, kind, baseUrl: server.url, keyVariable: "KEY" };
    await using model = await createModel(profile, "org/model", { timeoutMs: 5000 });
    expect(model.modelName).toBe("org/model");
    expect((await model.generateSettled(["a cat"]))[0]!.images).toHaveLength(1);
  }
  expect(server.received.map(({ url }) => url)).toEqual([
    "/images/generations",
    "/models/org/model",
  ]);
});
