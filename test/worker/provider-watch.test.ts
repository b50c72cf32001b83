import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { silentLog } from "../../shared/log.ts";
import { Gate } from "../../worker/gate.ts";
import { ProviderWatch } from "../../worker/provider-watch.ts";

/** A watch whose provider is away, and a call that is out to probe it. */
async function whileAway() {
  const gate = new Gate();
  const watch = new ProviderWatch(gate, silentLog);
  const refused = new ProviderError("unavailable", "refused", { sent: false });
  expect(await watch.failed(refused, "run-0-1")).toBe(false);
  gate.health.started();
  expect(gate.health.probing).toBe(true);
  return { gate, watch };
}

test("a call that was wrong and never went out does not tell that the provider is back", async () => {
  const { gate, watch } = await whileAway();
  const wrong = new ProviderError("invalid_request", "the prompt is too long", { sent: false });
  expect(await watch.failed(wrong, "run-0-2")).toBe(true);
  expect(gate.health).toMatchObject({ away: true, probing: false });
});

test("a bug of ours does not tell that the provider is back", async () => {
  const { gate, watch } = await whileAway();
  expect(await watch.failed(new ProviderError("internal", "a bug"), "run-0-2")).toBe(true);
  expect(gate.health).toMatchObject({ away: true, probing: false });
});

test.for([undefined, true])(
  "a refusal tells that the provider is back (its host left out: %s)",
  async (hostAway) => {
    const { gate, watch } = await whileAway();
    const refusal = new ProviderError("rate_limited", "slow down", { hostAway });
    expect(await watch.failed(refusal, "run-0-2")).toBe(false);
    expect(gate.health).toMatchObject({ away: false, probing: false });
  },
);

test("a call that only one of several hosts did not take uses up its attempt unless that host is away", async () => {
  const watch = new ProviderWatch(new Gate(), silentLog);
  const [atOneAway, atOneThere] = [true, false].map(
    (hostAway) => new ProviderError("unavailable", "refused", { hostAway }),
  );
  expect(await watch.failed(atOneAway!, "run-0-1")).toBe(false);
  expect(await watch.failed(atOneThere!, "run-0-1")).toBe(true);
});

test("a probe that found only its host away makes room for the next one: another host may be there by then", async () => {
  const { gate, watch } = await whileAway();
  const missed = new ProviderError("unavailable", "refused", { sent: false, hostAway: true });
  expect(await watch.failed(missed, "run-0-2")).toBe(false);
  expect(gate.health).toMatchObject({ away: true, probing: false });
});

test("calls that broke together tell of a provider that is away, also where this process stood still before it heard of them all", async () => {
  const watch = new ProviderWatch(new Gate(), silentLog);
  const reset = new ProviderError("unavailable", "the connection was reset");
  const attempts = [watch.failed(reset, "run-0-0")];
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
  for (let index = 1; index < 5; index++) {
    await turn();
    attempts.push(watch.failed(reset, `run-0-${index}`));
  }
  expect(await Promise.all(attempts)).toEqual(Array(5).fill(false));
});
