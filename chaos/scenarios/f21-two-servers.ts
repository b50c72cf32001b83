import type { Call } from "../provider.ts";
import { judge } from "../judge.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, oneAtATime } from "./enqueued-run.ts";
import { rows } from "./prompts.ts";

const strangers = (calls: readonly Call[], mark: string) =>
  calls.filter(({ prompt }) => !prompt.startsWith(mark)).length;

export const twoServers: Scenario = {
  id: "F21",
  title: "two servers under one profile's name on one Redis",
  play: async (arena) => {
    const prompts = arena.size(500, 60);
    const provider = await arena.openProvider({ latencyMs: 50 });
    const second = await arena.startProvider({ latencyMs: 50 });
    await arena.openRedis();
    const sides = [
      { mark: "first", url: provider.url },
      { mark: "second", url: second.url },
    ].map(({ mark, url }) => {
      const env = { OPENAI_BASE_URL: `${url}/v1` };
      const dataset = arena.dataset(
        rows(prompts).map(({ prompt }) => ({ prompt: `${mark} ${prompt}` })),
        `${mark}.jsonl`,
      );
      const out = arena.out(mark);
      arena.startWith(env, "work", "-c", "5");
      const args = ["enqueue", dataset, "-m", oneAtATime, "-n", "2", "--out", out, "--json"];
      return { mark, out, producer: arena.startWith(env, ...args) };
    });
    const ends = await Promise.all(sides.map(({ producer }) => endedWith(producer, 0)));
    const [own, other] = [await provider.calls(), await second.calls()];
    const verdict = judge({ out: sides[0]!.out, prompts, generations: 2, calls: own });
    const secondRun = judge({ out: sides[1]!.out, prompts, generations: 2, calls: other });
    return {
      verdict,
      out: sides[0]!.out,
      faults: [
        ...ends.flat(),
        ...faultsOf({
          "no prompt reached the other's server":
            strangers(own, "first") + strangers(other, "second") === 0,
          "the second run is whole": secondRun.lost + secondRun.boughtTwice === 0,
        }),
      ],
    };
  },
};
