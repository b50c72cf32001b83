import { appendFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Journal } from "../../producer/journal.ts";
import { replayJournal } from "../../producer/replay.ts";
import { acquireRunLock, type RunLock } from "../../producer/run-lock.ts";
import type { Settled } from "../../producer/settled.ts";
import { readJournal } from "../../shared/journal-reader.ts";
import { collect } from "./collect.ts";
import { asksMore, recount, withoutZeros } from "./naive-settled.ts";
import { journalLine, stateFolderPaths } from "./test-lines.ts";

const prompts = 8;

/** One life after another of a producer, without Redis: what is fed, what comes back, and what a crash leaves. */
class Lives {
  readonly run = { round: 0, numGenerations: 1, retryKinds: null };
  readonly #path: string;
  readonly #lock: RunLock;
  #journal!: Journal;
  settled!: Settled;
  window = new Set<number>();

  constructor(path: string, lock: RunLock) {
    this.#path = path;
    this.#lock = lock;
  }

  async live(): Promise<void> {
    const { settled, validBytes } = await replayJournal(this.#path, this.run);
    this.settled = settled;
    this.#journal = await Journal.open(this.#path, validBytes, this.#lock);
    this.window = new Set();
  }

  /** Dies, in the middle of writing a line if there is one. */
  async die(torn: Buffer): Promise<void> {
    await this.#journal[Symbol.asyncDispose]();
    appendFileSync(this.#path, torn);
  }

  feed(count: number): void {
    const unsettled = Array.from({ length: prompts }, (_, index) => index).filter(
      (index) => !this.settled.has(index) && !this.window.has(index),
    );
    for (const index of unsettled.slice(0, count)) this.window.add(index);
  }

  line(place: number, failed: boolean) {
    const index = [...this.window][place % this.window.size]!;
    const { round, numGenerations } = this.run;
    const state = failed ? ("failed" as const) : ("succeeded" as const);
    return journalLine({ index, round, numGenerations, state, kinds: failed ? ["timeout"] : [] });
  }

  async complete(place: number, failed: boolean): Promise<void> {
    if (this.window.size === 0) return;
    const line = this.line(place, failed);
    await this.#journal.append([line]);
    this.settled.add(line);
    this.window.delete(line.index);
  }
}

type Step =
  | { do: "feed"; count: number }
  | { do: "complete"; place: number; failed: boolean }
  | { do: "crash"; place: number; written: number }
  | { do: "retry" }
  | { do: "grow" };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("feed" as const),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("complete" as const),
      place: fc.nat(),
      failed: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      place: fc.nat(),
      written: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "retry" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "grow" as const }) },
);

async function take(lives: Lives, step: Step): Promise<void> {
  switch (step.do) {
    case "feed":
      return lives.feed(step.count);
    case "complete":
      return await lives.complete(step.place, step.failed);
    case "crash": {
      const whole =
        lives.window.size > 0
          ? Buffer.from(`${JSON.stringify(lives.line(step.place, false))}\n`)
          : Buffer.alloc(0);
      await lives.die(whole.subarray(0, Math.floor(whole.length * step.written)));
      return await lives.live();
    }
    case "retry":
      await lives.die(Buffer.alloc(0));
      lives.run.round += 1;
      return await lives.live();
    case "grow":
      await lives.die(Buffer.alloc(0));
      lives.run.numGenerations += 1;
      return await lives.live();
  }
}

test("through any interleaving of feeding, results, crashes and new rounds nothing is lost or settled twice", async () => {
  const { directory, journal: path } = stateFolderPaths();
  await using lock = await acquireRunLock(directory);
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 40 }), fc.uuid(), async (sequence, name) => {
      const file = `${path}.${name}`;
      const lives = new Lives(file, lock);
      await lives.live();
      for (const step of sequence) {
        await take(lives, step);
        const written = (await collect(readJournal(file))).map(({ line }) => line);
        const expected = recount(written, lives.run);
        expect(withoutZeros(lives.settled.totals)).toEqual(expected.totals);
        expect(lives.settled.count).toBe(expected.settled.size);
      }
      // The last life goes on to the end.
      for (lives.feed(prompts); lives.window.size > 0; lives.feed(prompts))
        await lives.complete(0, false);
      expect(lives.settled.count).toBe(prompts);
      const lines = (await collect(readJournal(file))).map(({ line }) => line);
      for (let index = 0; index < prompts; index++) {
        const own = lines.filter((line) => line.index === index);
        expect(own.length).toBeGreaterThan(0);
        // A prompt is settled again only where the run asked more of it than the line before.
        for (const [i, line] of own.slice(1).entries()) {
          expect(
            asksMore(own[i]!, {
              ...lives.run,
              round: line.round,
              numGenerations: line.numGenerations,
            }),
          ).toBe(true);
        }
      }
      await lives.die(Buffer.alloc(0));
    }),
    { numRuns: 60 },
  );
});
