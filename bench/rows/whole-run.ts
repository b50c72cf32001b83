import { alternate, compare, type Measure, median, type Row } from "../row.ts";
import { startImagemill, startNode, startProgram, type ProcessEnd } from "../processes.ts";
import { startBenchSimulator } from "../simulator.ts";
import { runArgs, temporaryFolder, writePrompts } from "../stage.ts";

/** Runs the bare loop and `imagemill run` over the same dataset, in turn, each from its process' start to its end. */
async function againstBareLoop(
  prompts: number,
  imageBytes: number,
  concurrency: number,
  rounds: number,
): Promise<{ baseline: ProcessEnd[]; imagemill: ProcessEnd[] }> {
  const folder = await temporaryFolder();
  await using simulator = await startBenchSimulator({ imageBytes });
  const dataset = await writePrompts(folder, prompts);
  let out = 0;
  const place = () => `${folder}/out-${out++}`;
  return await alternate(
    rounds,
    async () => {
      const args = [simulator.url, dataset, place(), String(concurrency)];
      await using loop = startProgram("bare-loop", args);
      return await loop.ended;
    },
    async () => {
      const args = ["--model", "imagemill-sim-1", "-c", String(concurrency)];
      const env = { OPENAI_BASE_URL: `${simulator.url}/v1` };
      await using run = startImagemill(runArgs("run", dataset, place(), args), env);
      return await run.ended;
    },
  );
}

function perSecond(ends: readonly ProcessEnd[], prompts: number): number[] {
  return ends.map(({ seconds }) => prompts / seconds);
}

function megabytes(ends: readonly ProcessEnd[]): number[] {
  return ends.map(({ peakRssBytes }) => peakRssBytes / 1e6);
}

/** Many small images. */
export const small: Row = {
  name: "small",
  what: "5,000 prompts, 2 kB images, no latency, 100 calls in flight, from the process' start to its end",
  baseline: "a loop over the openai client that writes the files",
  run: async ({ rounds, short }) => {
    const prompts = short ? 500 : 5_000;
    const ends = await againstBareLoop(prompts, 2_000, 100, rounds);
    const speed = {
      name: "throughput",
      unit: "prompts/s",
      baseline: perSecond(ends.baseline, prompts),
      imagemill: perSecond(ends.imagemill, prompts),
    };
    return [compare(speed, ">= 0.9", (ratio) => ratio >= 0.9)];
  },
};

/** Fewer large images. */
export const large: Row = {
  name: "large",
  what: "600 prompts, 1.5 MB images, no latency, 50 calls in flight",
  baseline: "the same loop",
  run: async ({ rounds, short }) => {
    const prompts = short ? 100 : 600;
    const ends = await againstBareLoop(prompts, 1_500_000, 50, rounds);
    const speed = {
      name: "throughput",
      unit: "prompts/s",
      baseline: perSecond(ends.baseline, prompts),
      imagemill: perSecond(ends.imagemill, prompts),
    };
    const memory = {
      name: "peak RSS",
      unit: "MB",
      baseline: megabytes(ends.baseline),
      imagemill: megabytes(ends.imagemill),
    };
    return [
      compare(speed, ">= 0.95", (ratio) => ratio >= 0.95),
      compare(memory, "<= 1.3", (ratio) => ratio <= 1.3),
    ];
  },
};

/** How soon there is something to see. */
export const firstImage: Row = {
  name: "first-image",
  what: "`imagemill run` of one prompt, embedded Redis, no latency, to its end with all outputs",
  baseline: "start of node alone",
  run: async ({ rounds }): Promise<Measure[]> => {
    const folder = await temporaryFolder();
    await using simulator = await startBenchSimulator({ imageBytes: 2_000 });
    const dataset = await writePrompts(folder, 1);
    const env = { OPENAI_BASE_URL: `${simulator.url}/v1` };
    let out = 0;
    const ends = await alternate(rounds, startNode, async () => {
      const args = runArgs("run", dataset, `${folder}/${out++}`, ["--model", "imagemill-sim-1"]);
      await using run = startImagemill(args, env);
      return await run.ended;
    });
    const seconds = {
      name: "whole run",
      unit: "s",
      baseline: ends.baseline.map((end) => end.seconds),
      imagemill: ends.imagemill.map((end) => end.seconds),
    };
    const more = median(seconds.imagemill) - median(seconds.baseline);
    return [compare(seconds, "<= 1.0 s more", () => more <= 1)];
  },
};
