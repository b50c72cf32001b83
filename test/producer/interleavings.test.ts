import { existsSync } from "node:fs";
import { join } from "node:path";
import { array, assert, asyncProperty, constantFrom } from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../chaos/until.ts";
import { findRegisteredRun, setRunState } from "../../shared/steer.ts";
import { writeSteering, type Steering } from "../../shared/steering.ts";
import { readRunFile } from "../../shared/run-file.ts";
import type { ImageWorker } from "../../worker/create-worker.ts";
import { startProducer, type ProducerProcess } from "../helpers/producer-process.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { filesBelow, readJournalOf, readResults, sha256Of } from "../helpers/run-files.ts";
import { openTestMill, type TestMill } from "../helpers/test-mill.ts";

/** `INTERLEAVINGS=200` plays more. */
const numRuns = Number(process.env["INTERLEAVINGS"] ?? 6);
const prompts = 10;
const generations = 2;
const concurrency = 2;
const settings = { numGenerations: generations, attempts: 1 };

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** What can happen to a run, one after the other. */
const actions = [
  "produce",
  "work",
  "let calls pass",
  "crash the producer",
  "give a worker up",
  "empty Redis",
  "pause",
  "unpause",
  "cancel",
  "break a prompt",
  "mend it",
] as const;
type Action = (typeof actions)[number];

/** A run in the middle of what happens to it. */
class Play {
  readonly #mill: TestMill;
  readonly #workers: ImageWorker[] = [];
  #producer: ProducerProcess | undefined;
  /** Calls that were in flight where they could be lost. */
  mayBuyTwice = 0;

  constructor(mill: TestMill) {
    this.#mill = mill;
  }

  async do(action: Action): Promise<void> {
    const { simulator, redis } = this.#mill;
    switch (action) {
      case "produce":
        if (this.#producer?.alive) return;
        this.#producer = startProducer({
          out: this.#mill.out,
          settings: this.#mill.settings(settings),
          redisUrl: server.url,
          prefix: this.#mill.prefix,
        });
        return;
      case "work":
        if (this.#workers.length < 2) this.#workers.push(await this.#mill.work({ concurrency }));
        return;
      case "let calls pass":
        return await this.#letCallsPass();
      case "crash the producer":
        await this.#producer?.kill();
        this.#producer = undefined;
        return;
      case "give a worker up":
        this.mayBuyTwice += generations * ((await this.#workers.shift()?.close(0)) ?? 0);
        return;
      case "empty Redis":
        this.mayBuyTwice += generations * simulator.ledger.inFlight;
        await redis.flushall();
        return;
      case "pause":
        return await this.#steer("paused");
      case "unpause":
        return await this.#steer("running");
      case "cancel":
        return await this.#steer("cancelled");
      case "break a prompt":
        simulator.settings.promptFaults = [{ match: "prompt 3 ", fault: "notAnImage" }];
        return;
      case "mend it":
        simulator.settings.promptFaults = [];
        return;
    }
  }

  /** Waits for three more calls, or until none could come. */
  async #letCallsPass(): Promise<void> {
    const { ledger } = this.#mill.simulator;
    const wanted = Math.min(ledger.calls + 3, prompts);
    const canGoOn = () => this.#producer?.alive && this.#workers.length > 0 && !this.#isSteered;
    await until("calls to pass", () => !canGoOn() || ledger.calls >= wanted);
  }

  #isSteered = false;

  async #steer(state: Steering["state"] | "running"): Promise<void> {
    const { out, redis, prefix } = this.#mill;
    const run = existsSync(join(out, ".imagemill")) ? await readRunFile(out) : undefined;
    if (!run) return;
    await writeSteering(out, state);
    const registered = await findRegisteredRun(redis, prefix, run.id);
    if (registered) await setRunState(redis, prefix, registered, state, undefined);
    this.#isSteered = state !== "running";
  }

  /** Whatever has happened: lets the run come to its end, and settles failures again in another round. */
  async end(): Promise<void> {
    await this.do("mend it");
    await this.do("crash the producer");
    await this.do("unpause");
    await this.do("work");
    const run = await this.#mill.open({}, settings);
    const { prompts: ended } = await run.finished;
    if (ended.failed + ended.partial === 0) return;
    await (
      await this.#mill.open({ retry: { kinds: null } }, settings)
    ).finished;
  }
}

/** What the run's directory and the provider's ledger have to say at the end. */
function endOf({ out, simulator }: TestMill) {
  const lines = new Map(readJournalOf(out).map((line) => [line.index, line]));
  const images = [...lines.values()].flatMap((line) => line.images);
  const files = filesBelow(join(out, "images")).map((file) => `images/${file}`);
  return {
    results: readResults(out).map(({ index, state }) => `${index} ${state}`),
    images: images.length,
    unknownFiles: files.filter((file) => images.every((image) => image.file !== file)),
    changedFiles: images.filter(({ file, sha256 }) => sha256Of(join(out, file)) !== sha256),
    bought: simulator.ledger.images,
  };
}

/** The end that every order of things must come to, but for what was bought. */
const wholeEnd = {
  results: Array.from({ length: prompts }, (_, index) => `${index} succeeded`),
  images: prompts * generations,
  unknownFiles: [],
  changedFiles: [],
};

test(
  "whatever happens to a run in whatever order, it ends whole, and only calls in flight are bought twice",
  async () => {
    const order = array(constantFrom(...actions), { minLength: 3, maxLength: 9 });
    await assert(
      asyncProperty(order, async (happens) => {
        await using mill = await openTestMill(server, {
          prompts,
          simulator: { latencyMs: 40, jitter: 0.5 },
        });
        const play = new Play(mill);
        for (const action of happens) await play.do(action);
        await play.end();
        const { bought, ...end } = endOf(mill);
        expect(end).toEqual(wholeEnd);
        expect(bought).toBeLessThanOrEqual(prompts * generations + play.mayBuyTwice);
      }),
      { numRuns, endOnFailure: false },
    );
  },
  60_000 + numRuns * 40_000,
);
