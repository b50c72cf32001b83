import { expect, test } from "vitest";
import type { EndpointState } from "../../../simulator/settings.ts";
import { startSimulator } from "../../../simulator/simulator.ts";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import type { InferenceEndpointsOptions } from "../../../worker/providers/huggingface-options.ts";
import { rejection, sendJson, startProvider } from "./provider-server.ts";
import { until } from "../../helpers/until.ts";

/** An endpoint in this state, and a model that is made of it. */
async function openEndpoint(
  state: EndpointState,
  options: Partial<InferenceEndpointsOptions> = {},
) {
  const simulator = await startSimulator({
    apiKey: "hf_key",
    endpoints: { cats: { state, model: "org/cats" } },
    endpointWakeMs: 500,
  });
  const states: string[] = [];
  const model = new InferenceEndpointsImageGeneration({
    endpointName: "cats",
    apiKey: "hf_key",
    endpointsApi: simulator.url,
    hubUrl: simulator.url,
    wakePollMs: 5,
    onProgress: (progress) => states.push(`${progress.endpoint} ${progress.state}`),
    ...options,
  });
  return {
    simulator,
    model,
    states,
    [Symbol.asyncDispose]: async () => {
      await model.unload();
      await simulator.close();
    },
  };
}

test.for(["paused", "scaledToZero"] as const)(
  "an endpoint that is %s is woken, waited for with progress, and asked",
  async (state) => {
    await using stage = await openEndpoint(state);
    const outcomes = await stage.model.generateSettled(["a", "b"]);
    expect(outcomes.map((outcome) => outcome.state)).toEqual(["succeeded", "succeeded"]);
    expect(stage.states[0]).toBe(`simulator/cats ${state}`);
    expect(stage.states.at(-1)).toBe("simulator/cats initializing");
    expect(stage.model.modelName).toBe("org/cats");
    expect(stage.simulator.ledger.summary().calls).toBe(2);
  },
);

test("an endpoint that falls asleep between two calls is waited for by the call itself", async () => {
  await using stage = await openEndpoint("running");
  await stage.model.load();
  stage.simulator.settings.endpoints["cats"]!.state = "scaledToZero";
  const call = { parameters: { width: 64, height: 64 } };
  expect((await stage.model.agenerate("a cat", call)).images).toHaveLength(1);
});

test.for(["failed", "updateFailed"] as const)(
  "an endpoint whose state is %s is an error that names it, and nothing is sent",
  async (state) => {
    await using stage = await openEndpoint(state);
    expect(await rejection(stage.model.load())).toMatchObject({
      kind: "model_gone",
      code: state,
      sent: false,
      message: expect.stringContaining(
        `endpoint simulator/cats does not run: its state is ${state}`,
      ),
    });
    stage.simulator.settings.endpoints["cats"]!.state = "running";
    await stage.model.load();
  },
);

test("an endpoint that does not run in time is unavailable, and its state is named", async () => {
  await using stage = await openEndpoint("pending", { wakeTimeoutMs: 20 });
  expect(await rejection(stage.model.agenerate("a cat"))).toMatchObject({
    kind: "unavailable",
    sent: false,
    message: "endpoint simulator/cats does not run after 0.02 s: its state is pending",
  });
});

test("waiting for an endpoint ends with the caller's signal, and with unload for everybody", async () => {
  await using stage = await openEndpoint("pending");
  const controller = new AbortController();
  const impatient = rejection(stage.model.generate(["a"], { signal: controller.signal }));
  const patient = rejection(stage.model.load());
  await until(() => expect(stage.states.length).toBeGreaterThan(0));
  const reason = new Error("enough");
  controller.abort(reason);
  expect(await impatient).toBe(reason);
  await stage.model.unload();
  expect(await patient).toMatchObject({ message: "cats was unloaded" });
});

test("an API of endpoints that fails now and then ends no waiting; one that stays away does", async () => {
  let looks = 0;
  let isAway = false;
  const server = await startProvider((_, response) => {
    looks++;
    if (isAway || looks % 2 === 0) return sendJson(response, { error: "bad gateway" }, 502);
    const state = looks < 8 ? "initializing" : "running";
    return sendJson(response, { status: { state, url: server.url } });
  });
  await using model = new InferenceEndpointsImageGeneration({
    endpointName: "cats",
    endpointNamespace: "me",
    apiKey: "hf_key",
    endpointsApi: server.url,
    wakePollMs: 1,
  });
  await model.load();
  expect(looks).toBe(9);
  await model.unload();
  isAway = true;
  expect(await rejection(model.load())).toMatchObject({ kind: "unavailable", status: 502 });
  expect(looks).toBe(15);
});

test("a wrong key is an auth failure before anything is asked for", async () => {
  await using stage = await openEndpoint("running", { apiKey: "hf_other" });
  expect(await rejection(stage.model.load())).toMatchObject({ kind: "auth", sent: false });
});
