import { InferenceClient, InferenceClientProviderApiError } from "@huggingface/inference";
import { expect, test } from "vitest";
import { z } from "zod";
import { startSimulator } from "../../simulator/simulator.ts";
import { decodePng, jpegSize, webpSize } from "./decode.ts";
import { post } from "./requests.ts";
import { until } from "../helpers/until.ts";

const model = "black-forest-labs/FLUX.1-dev";

/** A fetch that sends what is meant for Hugging Face's hosts to a simulator. */
function redirectTo(base: string): typeof fetch {
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    return fetch(`${base}${url.pathname}${url.search}`, init);
  };
}

async function bytesOf(response: Blob | Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

test("the client gets an image from hf-inference through the router's paths", async () => {
  await using simulator = await startSimulator();
  const client = new InferenceClient("hf_test");
  const blob = await client.textToImage(
    {
      model,
      provider: "hf-inference",
      inputs: "a fox",
      parameters: { width: 512, height: 256, seed: 3 },
    },
    { fetch: redirectTo(simulator.url), retry_on_error: false, outputType: "blob" },
  );
  expect(blob.type).toBe("image/jpeg");
  expect(jpegSize(await bytesOf(blob))).toEqual({ width: 32, height: 16 });
  expect(simulator.ledger.callsOf("a fox")).toMatchObject([
    { api: "huggingface", model, seed: 3, images: 1, n: 1 },
  ]);
});

test.for([`/hf-inference/models/${model}`, `/models/${model}`, "/endpoints/my-endpoint"])(
  "the client gets an image from the endpoint URL %s",
  async (path) => {
    await using simulator = await startSimulator();
    const client = new InferenceClient("hf_test");
    const blob = await client.textToImage(
      { endpointUrl: `${simulator.url}${path}`, inputs: "a fox" },
      { retry_on_error: false, outputType: "blob" },
    );
    expect(jpegSize(await bytesOf(blob))).toEqual({ width: 64, height: 64 });
  },
);

test("an equal body gives an equal image, as from a cache; another seed another one", async () => {
  await using simulator = await startSimulator();
  const ask = async (body: object) =>
    (await bytesOf(await post(`${simulator.url}/models/m`, body))).toString("hex");
  const plain = await ask({ inputs: "a fox" });
  expect(await ask({ inputs: "a fox" })).toBe(plain);
  expect(await ask({ inputs: "a fox", parameters: { guidance_scale: 2 } })).not.toBe(plain);
  const seeded = await ask({ inputs: "a fox", parameters: { seed: 1 } });
  expect(await ask({ inputs: "a fox", parameters: { seed: 2 } })).not.toBe(seeded);
  expect(await ask({ inputs: "a fox", parameters: { seed: 1 } })).toBe(seeded);
});

test("the Accept header chooses the format", async () => {
  await using simulator = await startSimulator();
  const ask = async (accept: string) =>
    await post(`${simulator.url}/models/m`, { inputs: "a fox" }, { accept });
  expect(decodePng(await bytesOf(await ask("image/png"))).width).toBe(64);
  expect(webpSize(await bytesOf(await ask("image/webp"))).width).toBe(64);
});

test.for([
  [{ fault: "loading" }, 503, { error: "Model m is currently loading", estimated_time: 20 }],
  [{ fault: "overloaded" }, 503, { error: expect.stringContaining("too busy") }],
  [{ fault: "error500" }, 500, { error: "Internal Server Error" }],
  [{ fault: "rateLimited" }, 429, { error: expect.stringContaining("Rate limit") }],
] as const)("%o is a %i to the client", async ([{ fault }, status, body]) => {
  await using simulator = await startSimulator({
    promptFaults: [{ match: "fox", fault, times: 1 }],
  });
  const client = new InferenceClient("hf_test");
  const ask = () =>
    client.textToImage(
      { endpointUrl: `${simulator.url}/models/m`, inputs: "a fox" },
      { retry_on_error: false, outputType: "blob" },
    );
  const error = await ask().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InferenceClientProviderApiError);
  expect(error).toMatchObject({ httpResponse: { status, body } });
  expect((await ask()).size).toBeGreaterThan(0);
});

test("keys, money, parameters and bodies are refused as Hugging Face does", async () => {
  await using simulator = await startSimulator({
    apiKey: "hf_right",
    refuseParameter: "scheduler",
    quotaAfterImages: 1,
  });
  const ask = async (body: object, key = "hf_right") => {
    const response = await post(`${simulator.url}/models/m`, body, {
      authorization: `Bearer ${key}`,
    });
    return response.ok
      ? response.status
      : [response.status, z.object({ error: z.string() }).parse(await response.json()).error];
  };
  expect(await ask({ inputs: "a fox" }, "hf_wrong")).toEqual([
    401,
    "Invalid username or password.",
  ]);
  expect(await ask({ inputs: "" })).toEqual([400, expect.stringContaining("inputs")]);
  expect(await ask({ inputs: "a fox", parameters: { width: "wide" } })).toEqual([
    400,
    expect.stringContaining("parameters.width"),
  ]);
  expect(await ask({ inputs: "a fox", parameters: { scheduler: "x" } })).toEqual([
    400,
    expect.stringContaining("scheduler"),
  ]);
  expect(await ask({ inputs: "a fox" })).toBe(200);
  expect(await ask({ inputs: "a fox" })).toEqual([
    402,
    expect.stringContaining("monthly included credits"),
  ]);
});

test("what is no image is labelled as one", async () => {
  await using simulator = await startSimulator({
    promptFaults: [
      { match: "text", fault: "notAnImage" },
      { match: "nothing", fault: "fewerImages" },
    ],
  });
  const ask = async (inputs: string) => await post(`${simulator.url}/models/m`, { inputs });
  const text = await ask("text");
  expect(text.headers.get("content-type")).toBe("image/jpeg");
  expect(await text.text()).toBe("this is not an image");
  expect(await (await ask("nothing")).text()).toBe("");
  expect(simulator.ledger.summary()).toMatchObject({ images: 0, billUsd: 0, byStatus: { 200: 2 } });
});

const Endpoint = z.object({
  name: z.string(),
  model: z.object({ repository: z.string() }),
  status: z.object({ state: z.string(), url: z.string() }),
});

test("a paused endpoint is found, refuses calls, is resumed and then answers", async () => {
  await using simulator = await startSimulator({
    endpointWakeMs: 20,
    endpoints: { flux: { namespace: "acme", state: "paused", model } },
  });
  const lookUp = async () =>
    Endpoint.parse(await (await fetch(`${simulator.url}/v2/endpoint/acme/flux`)).json());
  const found = await lookUp();
  expect(found).toMatchObject({
    name: "flux",
    model: { repository: model },
    status: { state: "paused" },
  });
  expect((await post(found.status.url, { inputs: "a fox" })).status).toBe(400);
  await post(`${simulator.url}/v2/endpoint/acme/flux/resume`, {});
  await until(async () => expect((await lookUp()).status.state).toBe("running"));
  expect((await post(found.status.url, { inputs: "a fox" })).status).toBe(200);
  expect(simulator.ledger.callsOf("a fox").at(-1)).toMatchObject({ model, status: 200 });
});

test("an endpoint scaled to zero answers 503 while a call wakes it", async () => {
  await using simulator = await startSimulator({
    endpointWakeMs: 20,
    endpoints: { flux: { state: "scaledToZero" } },
  });
  const ask = async () =>
    (await post(`${simulator.url}/endpoints/flux`, { inputs: "a fox" })).status;
  expect(await ask()).toBe(503);
  await until(async () => expect(await ask()).toBe(200));
});

test("an endpoint that does not exist is a 404, and a wrong key a 401", async () => {
  await using simulator = await startSimulator({ apiKey: "hf_right", endpoints: { flux: {} } });
  const status = async (path: string, key: string) =>
    (
      await fetch(`${simulator.url}/v2/endpoint/${path}`, {
        headers: { authorization: `Bearer ${key}` },
      })
    ).status;
  expect(await status("simulator/flux", "hf_right")).toBe(200);
  expect(await status("acme/flux", "hf_right")).toBe(404);
  expect(await status("simulator/toString", "hf_right")).toBe(404);
  expect(await status("simulator/flux", "hf_wrong")).toBe(401);
});

test.each(["/models/%zz", "/endpoints/a%", "/v2/endpoint/acme/%E0%A4%A"])(
  "a path that is not percent-encoded is a 400: %s",
  async (path) => {
    await using simulator = await startSimulator();
    const method = path.startsWith("/models") ? "POST" : "GET";
    const response = await fetch(simulator.url + path, { method });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(
      `percent-encoded (\`%\` itself is \`%25\`), got ${path}`,
    );
  },
);
