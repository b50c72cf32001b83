import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { promptHash } from "../../simulator/ledger.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import { askImages, imagesOf, post } from "./requests.ts";
import { until } from "../helpers/until.ts";

const Line = z.looseObject({
  event: z.string().optional(),
  number: z.int(),
  prompt: z.string(),
  status: z.int().nullable(),
});

function linesOf(text: string) {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => Line.parse(JSON.parse(line)));
}

test("every call is counted and billed, prompt by prompt", async () => {
  await using simulator = await startSimulator();
  await askImages(simulator.url, { prompt: "one", n: 2, seed: 9 });
  await askImages(simulator.url, { prompt: "one" });
  await post(`${simulator.url}/models/m`, { inputs: "two" });
  await askImages(simulator.url, { n: 0 });
  expect(simulator.ledger.summary()).toEqual({
    calls: 4,
    images: 4,
    billUsd: 0.16,
    inFlight: 0,
    maxInFlight: 1,
    byStatus: { 200: 3, 400: 1 },
  });
  const prompts = simulator.ledger.callsByPrompt();
  expect(prompts.get(promptHash("one"))).toEqual({
    prompt: "one",
    calls: 2,
    images: 3,
    billedUsd: 0.12,
  });
  expect(prompts.size).toBe(3);
  const [call] = simulator.ledger.callsOf("one");
  expect(call).toMatchObject({
    number: 1,
    api: "openai",
    model: "imagemill-sim",
    n: 2,
    seed: 9,
    status: 200,
    images: 2,
  });
  expect(call!.endedAt).toBeGreaterThanOrEqual(call!.startedAt);
});

test("prompts that begin alike are told apart", async () => {
  await using simulator = await startSimulator();
  const [one, other] = ["a", "b"].map((end) => "x".repeat(100) + end);
  await askImages(simulator.url, { prompt: one });
  await askImages(simulator.url, { prompt: other });
  expect(simulator.ledger.callsOf(one!)).toHaveLength(1);
  expect(simulator.ledger.callsOf(one!)[0]!.prompt).toBe("x".repeat(80));
});

test("only the last calls are remembered, all are counted", async () => {
  await using simulator = await startSimulator({ keepCalls: 3 });
  for (let call = 0; call < 8; call++) await askImages(simulator.url, { prompt: `fox ${call}` });
  expect([...simulator.ledger.records()].map(({ prompt }) => prompt)).toEqual([
    "fox 5",
    "fox 6",
    "fox 7",
  ]);
  expect(simulator.ledger.summary()).toMatchObject({ calls: 8, images: 8, billUsd: 0.32 });
});

test("calls overlap for as long as the latency says, and the most at once is known", async () => {
  // Long enough for all of them to begin before the first one ends.
  await using simulator = await startSimulator({ latencyMs: 1_000, jitter: 0.2 });
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: 20 }, () => askImages(simulator.url, {})));
  expect(performance.now() - startedAt).toBeGreaterThan(775);
  expect(simulator.ledger.summary()).toMatchObject({ calls: 20, inFlight: 0, maxInFlight: 20 });
  const durations = [...simulator.ledger.records()].map((call) => call.endedAt! - call.startedAt);
  expect(Math.min(...durations)).toBeGreaterThanOrEqual(798);
  expect(new Set(durations).size).toBeGreaterThan(3);
});

test("a client that goes while its images are made pays for them", async () => {
  // The client is gone long before they are made.
  await using simulator = await startSimulator({ latencyMs: 1_000 });
  const abort = new AbortController();
  const call = fetch(`${simulator.url}/v1/images/generations`, {
    method: "POST",
    body: JSON.stringify({ model: "sim", prompt: "a fox", n: 2 }),
    signal: abort.signal,
  }).catch((error: unknown) => error);
  await until(() => expect(simulator.ledger.inFlight).toBe(1));
  abort.abort();
  await call;
  await until(() => expect(simulator.ledger.inFlight).toBe(0));
  expect(simulator.ledger.callsOf("a fox")).toMatchObject([
    { status: 200, clientGone: true, images: 2, billedUsd: 0.08 },
  ]);
});

test("the ledger and its calls can be read over HTTP", async () => {
  await using simulator = await startSimulator();
  for (let call = 0; call < 3; call++) await askImages(simulator.url, { prompt: `fox ${call}` });
  const summary: unknown = await (await fetch(`${simulator.url}/simulator/ledger`)).json();
  expect(summary).toEqual(simulator.ledger.summary());
  const calls = linesOf(await (await fetch(`${simulator.url}/simulator/calls`)).text());
  expect(calls.map(({ prompt, status }) => [prompt, status])).toEqual([
    ["fox 0", 200],
    ["fox 1", 200],
    ["fox 2", 200],
  ]);
});

test("no calls are an empty list", async () => {
  await using simulator = await startSimulator();
  expect(await (await fetch(`${simulator.url}/simulator/calls`)).text()).toBe("");
});

test("settings change over HTTP, one by one, and wrong ones change nothing", async () => {
  await using simulator = await startSimulator({ latencyMs: 1 });
  const change = async (settings: object) => {
    const response = await post(`${simulator.url}/simulator/settings`, settings);
    return [response.status, await response.text()] as const;
  };
  const [status, text] = await change({ apiKey: "sk-secret", faults: { error500: 1 } });
  expect(status).toBe(200);
  expect(text).not.toContain("sk-secret");
  expect(simulator.settings).toMatchObject({
    apiKey: "sk-secret",
    latencyMs: 1,
    faults: { error500: 1 },
  });
  expect(await change({ latency: 5 })).toEqual([400, expect.stringContaining("latency")]);
  expect(await change({ latencyMs: -5 })).toEqual([400, expect.stringContaining("latencyMs")]);
  expect(await change({ port: 1 })).toEqual([400, expect.stringContaining("start another one")]);
  expect(simulator.settings.latencyMs).toBe(1);
});

test("the ledger file has a line for the start and the end of each call", async () => {
  const folder = await mkdtemp(join(tmpdir(), "imagemill-simulator-"));
  const path = join(folder, "ledger.jsonl");
  try {
    const simulator = await startSimulator({
      ledgerFile: path,
      promptFaults: [{ match: "hung", fault: "hang" }],
    });
    await imagesOf(await askImages(simulator.url, { prompt: "good" }));
    const hung = askImages(simulator.url, { prompt: "hung" }).catch((error: unknown) => error);
    await until(() => expect(simulator.ledger.inFlight).toBe(1));
    const before = linesOf(await readFile(path, "utf8"));
    expect(before.map(({ event, prompt, status }) => [event, prompt, status])).toEqual([
      ["started", "good", null],
      ["ended", "good", 200],
      ["started", "hung", null],
    ]);
    await simulator.close();
    expect(await hung).toBeInstanceOf(TypeError);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("close ends calls in flight at once, and twice is once", async () => {
  const simulator = await startSimulator({ latencyMs: 60_000 });
  const call = askImages(simulator.url, {}).catch((error: unknown) => error);
  await until(() => expect(simulator.ledger.inFlight).toBe(1));
  await Promise.all([simulator.close(), simulator.close()]);
  expect(await call).toBeInstanceOf(TypeError);
  expect(simulator.ledger.summary()).toMatchObject({ inFlight: 0, images: 0, byStatus: { 0: 1 } });
  await expect(fetch(simulator.url)).rejects.toThrow("fetch failed");
});

test("a setting that is unknown or out of range is refused at the start", async () => {
  await expect(startSimulator({ jitter: 2 })).rejects.toThrow("jitter");
  const mistyped: object = { latencyMS: 5 };
  await expect(startSimulator(mistyped)).rejects.toThrow("latencyMS");
});

test("a port that is taken is the system's error", async () => {
  await using simulator = await startSimulator();
  const port = Number(new URL(simulator.url).port);
  await expect(startSimulator({ port })).rejects.toThrow("EADDRINUSE");
});
