import type { AttemptRecord } from "../../shared/result.ts";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import type { Call, Provider } from "../provider.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

const waitMs = 3_000;
/** Within this time every worker knows of a hold. */
const knownMs = 1_000;
const forms = ["seconds", "date", "message", "none"] as const;

/** The prompts that are refused once, spread over the run: each form gets one. */
function refusals(prompts: number): NonNullable<SimulatorOptions["promptFaults"]> {
  return forms.map((_, i) => ({
    match: `number ${Math.floor(((i + 0.5) * prompts) / forms.length)} .`,
    fault: "rateLimited" as const,
    times: 1,
  }));
}

async function refusedBy(provider: Provider): Promise<Call[]> {
  return (await provider.calls()).filter(({ fault }) => fault === "rateLimited");
}

/** Calls that began although the lane had been told to wait. The last form tells no time. */
function tooEarly(calls: readonly Call[]): Call[] {
  const refused = calls.filter(({ fault }) => fault === "rateLimited").slice(0, -1);
  return calls.filter(({ startedAt }) =>
    refused.some(
      ({ endedAt }) =>
        startedAt > endedAt! + knownMs && startedAt < endedAt! + 0.9 * (waitMs - knownMs),
    ),
  );
}

export const throttled: Scenario = {
  id: "F9",
  title: "429 with Retry-After in every form, 500 and 503",
  play: async (arena) => {
    const prompts = arena.size(2_000, 200);
    const provider = await arena.openProvider({
      latencyMs: 150,
      jitter: 0.5,
      faultRetryAfterMs: waitMs,
      faults: { error500: 0.02, error503: 0.02 },
      promptFaults: refusals(prompts),
      retryAfter: forms[0],
    });
    await arena.openRedis();
    const run = enqueuedRun(arena, { prompts, generations: 2 });
    const producer = run.enqueue();
    for (let worker = 0; worker < 3; worker++) arena.work(10);
    // By what was refused, not by how many calls were made: the form that tells no time is the last one's alone.
    for (const [i, retryAfter] of forms.entries()) {
      await until(
        `${i} refusals`,
        async () => (await refusedBy(provider)).length >= i || undefined,
      );
      await provider.set({ retryAfter });
    }
    const faults = await endedWith(producer, 0);
    const attempts = readJournalOf(run.out).flatMap((line) => line.attempts);
    const early = tooEarly(await provider.calls());
    return {
      verdict: await run.judge(),
      out: run.out,
      faults: [
        ...faults,
        ...faultsOf({
          [`no call while the lane waits, got ${early.length}`]: early.length === 0,
          "every form of 429 was met": attempts.filter(isThrottled).length >= forms.length,
          "no attempt burned by a 429": attempts.filter(isThrottled).every(({ burned }) => !burned),
        }),
      ],
    };
  },
};

function isThrottled({ outcome }: AttemptRecord): boolean {
  return outcome === "rate_limited";
}
