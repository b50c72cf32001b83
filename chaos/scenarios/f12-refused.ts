import type { CliEnd, RunningCli } from "../../test/helpers/cli.ts";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import type { Arena } from "../arena.ts";
import { judge } from "../judge.ts";
import type { Provider } from "../provider.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { manyAtATime } from "./enqueued-run.ts";
import { rows } from "./prompts.ts";

const keys = { right: "sk-right-0123456789abcdef", next: "sk-next-0123456789abcdef" };

const concurrency = 10;
/** Prompts in Redis at once: a stop must not cost more calls than that. */
const window = 2 * concurrency;

/** What a stop must be: resumable, with its kind and with what to do. */
function stopFaults(what: string, { code, summary }: CliEnd, reason: RegExp): string[] {
  return faultsOf({
    [`${what}: exit code 4, got ${code}`]: code === 4,
    [`${what}: says what to do, got ${summary.reason}`]: reason.test(summary.reason ?? ""),
    [`${what}: nothing failed`]: summary.prompts.failed + summary.prompts.partial === 0,
  });
}

/** How the lives of the run ended that were refused, and how many refused calls each has cost. */
interface Stops {
  wrong: CliEnd;
  withoutKey: CliEnd;
  withoutMoney: CliEnd;
  refusedCalls: number[];
}

/** The command of the run, to be started with one key after the other. */
function runOf(arena: Arena, prompts: number, out: string): (key: string) => RunningCli {
  const dataset = arena.dataset(rows(prompts));
  const many = ["-n", "2", "-c", `${concurrency}`, "--out", out, "--json"];
  return (key) => {
    arena.env["OPENAI_API_KEY"] = key;
    return arena.start("run", dataset, "-m", manyAtATime, ...many);
  };
}

/** Three lives: with a key that was never right, with one that is revoked, with a quota that is used up. */
async function stopThrice(
  arena: Arena,
  provider: Provider,
  start: (key: string) => RunningCli,
): Promise<Stops> {
  const refusedCalls: number[] = [];
  const endOf = async (life: RunningCli) => {
    const end = await life.ended;
    const calls = await provider.calls();
    const refusals = calls.filter(({ status }) => status !== null && status >= 400).length;
    refusedCalls.push(refusals - refusedCalls.reduce((sum, count) => sum + count, 0));
    return end;
  };
  const wrong = await endOf(start("sk-wrong-0123456789abcdef"));
  const revoked = start(keys.right);
  await provider.called(60);
  arena.brokenNow();
  await provider.set({ apiKey: keys.next });
  const withoutKey = await endOf(revoked);
  const { images } = await provider.summary();
  await provider.set({ quotaAfterImages: images + 60 });
  const withoutMoney = await endOf(start(keys.next));
  await provider.set({ quotaAfterImages: null });
  return { wrong, withoutKey, withoutMoney, refusedCalls };
}

function faultsOfLives(stops: Stops, end: CliEnd, out: string): string[] {
  const { wrong, withoutKey, withoutMoney, refusedCalls } = stops;
  const burned = readJournalOf(out)
    .flatMap((line) => line.attempts)
    .filter(({ outcome, burned: isBurned }) => outcome !== "ok" && isBurned);
  return [
    ...stopFaults("wrong key", wrong, /^auth: .*same command again/),
    ...stopFaults("revoked key", withoutKey, /^auth: .*same command again/),
    ...stopFaults("quota", withoutMoney, /^quota: .*same command again/),
    ...faultsOf({
      [`the same command finishes, got ${end.code}`]: end.code === 0,
      [`each stops within a window of ${window}, got ${refusedCalls.join(", ")} refused calls`]:
        refusedCalls.every((count) => count <= window),
      [`no attempt burned, got ${burned.length}`]: burned.length === 0,
    }),
  ];
}

export const refused: Scenario = {
  id: "F12",
  title: "a wrong key, a key revoked half-way, a quota used up half-way",
  play: async (arena) => {
    const prompts = arena.size(400, 150);
    const provider = await arena.openProvider({ latencyMs: 100, apiKey: keys.right });
    const out = arena.out();
    const start = runOf(arena, prompts, out);
    const stops = await stopThrice(arena, provider, start);
    const end = await start(keys.next).ended;
    const calls = await provider.calls();
    return {
      verdict: judge({ out, prompts, generations: 2, calls }),
      out,
      faults: faultsOfLives(stops, end, out),
    };
  },
};
