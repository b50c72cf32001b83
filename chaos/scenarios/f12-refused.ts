import type { CliEnd } from "../../test/helpers/cli.ts";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import { judge } from "../judge.ts";
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

export const refused: Scenario = {
  id: "F12",
  title: "a wrong key, a key revoked half-way, a quota used up half-way",
  play: async (arena) => {
    const prompts = arena.size(400, 150);
    const provider = await arena.openProvider({ latencyMs: 100, apiKey: keys.right });
    const out = arena.out();
    const dataset = arena.dataset(rows(prompts));
    const command = [
      "run",
      dataset,
      "-m",
      manyAtATime,
      "-n",
      "2",
      "-c",
      `${concurrency}`,
      "--out",
      out,
    ];
    const start = (key: string) => {
      arena.env["OPENAI_API_KEY"] = key;
      return arena.start(...command, "--json");
    };
    const refusedCalls: number[] = [];
    const countRefused = async () => {
      const calls = await provider.calls();
      const refusals = calls.filter(({ status }) => status !== null && status >= 400).length;
      refusedCalls.push(refusals - refusedCalls.reduce((sum, count) => sum + count, 0));
    };
    const wrong = await start("sk-wrong-0123456789abcdef").ended;
    await countRefused();
    const revoked = start(keys.right);
    await provider.called(60);
    arena.brokenNow();
    await provider.set({ apiKey: keys.next });
    const withoutKey = await revoked.ended;
    await countRefused();
    const { images } = await provider.summary();
    await provider.set({ quotaAfterImages: images + 60 });
    const withoutMoney = await start(keys.next).ended;
    await countRefused();
    await provider.set({ quotaAfterImages: null });
    const end = await start(keys.next).ended;
    const burned = readJournalOf(out)
      .flatMap((line) => line.attempts)
      .filter(({ outcome, burned: isBurned }) => outcome !== "ok" && isBurned);
    const calls = await provider.calls();
    return {
      verdict: judge({ out, prompts, generations: 2, calls }),
      out,
      faults: [
        ...stopFaults("wrong key", wrong, /^auth: .*same command again/),
        ...stopFaults("revoked key", withoutKey, /^auth: .*same command again/),
        ...stopFaults("quota", withoutMoney, /^quota: .*same command again/),
        ...faultsOf({
          [`the same command finishes, got ${end.code}`]: end.code === 0,
          [`each stops within a window of ${window}, got ${refusedCalls.join(", ")} refused calls`]:
            refusedCalls.every((count) => count <= window),
          [`no attempt burned, got ${burned.length}`]: burned.length === 0,
        }),
      ],
    };
  },
};
