import { expect, test } from "vitest";
import { chance } from "../../simulator/chance.ts";
import { faultChooser } from "../../simulator/faults.ts";
import type { FaultName } from "../../simulator/settings.ts";
import { SimulatorSettings } from "../../simulator/settings.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import { decodePng } from "./decode.ts";
import { askImages, errorOf, ImagesAnswer, imagesOf } from "./requests.ts";
import { until } from "../helpers/until.ts";

/** A simulator that has this fault for prompts with "unlucky", for as many calls as `times` says. */
function unlucky(fault: FaultName, settings: object = {}) {
  return startSimulator({ promptFaults: [{ match: "unlucky", fault }], ...settings });
}

const prompt = "an unlucky fox";

test.for([
  ["error500", 500, "server_error", null],
  ["error503", 503, "server_error", null],
  ["overloaded", 503, "service_unavailable_error", "server_is_overloaded"],
  ["rateLimited", 429, "requests", "rate_limit_exceeded"],
] as const)("%s is a %i and no image is billed", async ([fault, status, type, code]) => {
  await using simulator = await unlucky(fault);
  expect(await errorOf(await askImages(simulator.url, { prompt }))).toMatchObject({
    status,
    type,
    code,
  });
  expect((await askImages(simulator.url, { prompt: "a lucky fox" })).status).toBe(200);
  expect(simulator.ledger.summary()).toMatchObject({
    calls: 2,
    images: 1,
    byStatus: { [status]: 1, 200: 1 },
  });
  expect(simulator.ledger.callsOf(prompt)).toMatchObject([{ fault, status, images: 0 }]);
});

test("a hung call is in flight until its client goes, and costs nothing", async () => {
  await using simulator = await unlucky("hang");
  const abort = new AbortController();
  const call = fetch(`${simulator.url}/v1/images/generations`, {
    method: "POST",
    body: JSON.stringify({ model: "sim", prompt }),
    signal: abort.signal,
  }).catch((error: unknown) => error);
  await until(() => expect(simulator.ledger.inFlight).toBe(1));
  abort.abort();
  expect(await call).toMatchObject({ name: "AbortError" });
  await until(() => expect(simulator.ledger.inFlight).toBe(0));
  expect(simulator.ledger.callsOf(prompt)).toMatchObject([
    { status: 0, clientGone: true, billedUsd: 0 },
  ]);
});

test("a connection is reset without an answer and without a bill", async () => {
  await using simulator = await unlucky("resetConnection");
  const error = await askImages(simulator.url, { prompt }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ cause: { code: "ECONNRESET" } });
  expect(simulator.ledger.summary()).toMatchObject({ calls: 1, images: 0, byStatus: { 0: 1 } });
});

test("a body that breaks off is shorter than its length, and its images are billed", async () => {
  await using simulator = await unlucky("brokenBody", { imageBytes: 100_000 });
  const response = await askImages(simulator.url, { prompt, n: 2 });
  expect(Number(response.headers.get("content-length"))).toBeGreaterThan(200_000);
  const reader = response.body!.getReader();
  let received = 0;
  const readAll = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      received += value.length;
    }
  };
  await expect(readAll()).rejects.toThrow("terminated");
  expect(received).toBeGreaterThan(50_000);
  expect(simulator.ledger.summary()).toMatchObject({
    images: 2,
    billUsd: 0.08,
    byStatus: { 200: 1 },
  });
});

test("notJson is a page of HTML with status 200", async () => {
  await using simulator = await unlucky("notJson");
  const response = await askImages(simulator.url, { prompt });
  expect([response.status, response.headers.get("content-type")]).toEqual([
    200,
    "text/html; charset=utf-8",
  ]);
  expect(await response.text()).toContain("<html>");
  expect(simulator.ledger.billUsd).toBe(0);
});

test("notAnImage is JSON whose base64 is text, and a URL that answers HTML", async () => {
  await using simulator = await unlucky("notAnImage");
  const [image] = await imagesOf(await askImages(simulator.url, { prompt }));
  expect(image!.toString()).toBe("this is not an image");
  const linked = ImagesAnswer.parse(
    await (await askImages(simulator.url, { prompt, response_format: "url" })).json(),
  );
  const page = await fetch(linked.data[0]!.url!);
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<html>")]);
});

test("fewerImages is one less than asked for, and only those given are billed", async () => {
  await using simulator = await unlucky("fewerImages");
  expect(await imagesOf(await askImages(simulator.url, { prompt, n: 4 }))).toHaveLength(3);
  expect(await imagesOf(await askImages(simulator.url, { prompt, n: 1 }))).toHaveLength(0);
  expect(simulator.ledger.images).toBe(3);
});

test("slowBody trickles for its time and arrives whole", async () => {
  await using simulator = await unlucky("slowBody", { slowBodyMs: 200 });
  const startedAt = performance.now();
  const [image] = await imagesOf(await askImages(simulator.url, { prompt }));
  expect(performance.now() - startedAt).toBeGreaterThan(150);
  expect(decodePng(image!).width).toBe(64);
  expect(simulator.ledger.summary()).toMatchObject({ images: 1, inFlight: 0 });
});

test("a prompt fault strikes as often as it says, and may be added while the simulator runs", async () => {
  await using simulator = await startSimulator();
  simulator.settings.promptFaults.push({ match: "fox", fault: "error500", times: 2 });
  const statuses: number[] = [];
  for (let call = 0; call < 4; call++) statuses.push((await askImages(simulator.url, {})).status);
  expect(statuses).toEqual([500, 500, 200, 200]);
});

/** What befalls 20,000 calls, a tenth of them with error500 and a twentieth with hang. */
function chosen(faultSeed: number): (FaultName | undefined)[] {
  const settings = SimulatorSettings.parse({ faultSeed, faults: { error500: 0.1, hang: 0.05 } });
  const chooser = faultChooser();
  return Array.from({ length: 20_000 }, (_, call) => chooser.choose(settings, call + 1, "a fox"));
}

test("faults by chance come at their rates, and the same seed gives the same ones", () => {
  const faults = chosen(1);
  const share = (name: FaultName | undefined) =>
    faults.filter((fault) => fault === name).length / faults.length;
  expect(share("error500")).toBeCloseTo(0.1, 2);
  expect(share("hang")).toBeCloseTo(0.05, 2);
  expect(share(undefined)).toBeCloseTo(0.85, 2);
  expect(chosen(1)).toEqual(faults);
  expect(chosen(2)).not.toEqual(faults);
});

test("chance is spread evenly over its range, whatever varies", () => {
  for (const draw of [
    (i: number) => chance(i),
    (i: number) => chance(7, i),
    (i: number) => chance(7, i, 1),
  ]) {
    const bins = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) bins[Math.floor(draw(i) * 10)]!++;
    expect(Math.min(...bins)).toBeGreaterThan(850);
    expect(Math.max(...bins)).toBeLessThan(1_150);
  }
});
