import type { RunningCli } from "../../test/helpers/cli.ts";
import type { Arena } from "../arena.ts";
import type { Call } from "../provider.ts";
import { judge, type Asked, type Verdict } from "../judge.ts";
import { rows } from "./prompts.ts";

/** A model that makes one image a call, so that several images are sub-jobs. */
export const oneAtATime = "dall-e-3";
/** A model that makes all images of a prompt in one call. */
export const manyAtATime = "gpt-image-2";

/** A run over the arena's shared Redis. */
export interface EnqueuedRun {
  readonly out: string;
  readonly prompts: number;
  /** Whether a call was one of its prompts. */
  owns(call: Call): boolean;
  /** Starts its producer, for the first time or again. */
  enqueue(...more: string[]): RunningCli;
  /** What the ledgers say once it has ended. */
  judge(more?: Partial<Asked>): Promise<Verdict>;
}

/** What a run is to be. */
export interface RunPlan {
  prompts: number;
  generations?: number;
  model?: string;
  /** Name of its run directory. */
  name?: string;
  /** Where it is kept, if not in a folder of that name. */
  location?: string;
  /** A word before its prompts: then its calls are told from other runs'. */
  mark?: string;
}

/** Prepares a run for workers elsewhere. */
export function enqueuedRun(arena: Arena, plan: RunPlan): EnqueuedRun {
  const { prompts, generations = 1, model = manyAtATime, name = "out", mark } = plan;
  const out = arena.out(name);
  const before = mark === undefined ? "" : `${mark} `;
  const marked = rows(prompts).map(({ prompt }) => ({ prompt: `${before}${prompt}` }));
  const dataset = arena.dataset(marked, `${name}.jsonl`);
  const place = plan.location ?? out;
  const args = [dataset, "-m", model, "-n", `${generations}`, "--out", place, "--json"];
  const owns = ({ prompt }: Call) => prompt.startsWith(before);
  return {
    out,
    prompts,
    owns,
    enqueue: (...more) => arena.start("enqueue", ...args, ...more),
    judge: async (more = {}) => {
      const calls = more.calls ?? (await arena.provider.calls()).filter(owns);
      return judge({ out, prompts, generations, ...more, calls });
    },
  };
}

/** Waits for a producer's end and says what is wrong with it, where its exit code is another one. */
export async function endedWith(producer: RunningCli, code: number): Promise<string[]> {
  const end = await producer.ended;
  return end.code === code ? [] : [`exit code ${code}, got ${end.code ?? end.signal}`];
}
