import { z } from "zod";
import type { SimulatorOptions } from "../simulator/settings.ts";
import type { RunningCli } from "../test/helpers/cli.ts";
import { until } from "./until.ts";

const Summary = z.object({ calls: z.int(), images: z.int(), inFlight: z.int() });

/** A call as the simulator remembers it. Times are milliseconds since 1970. */
const Call = z.object({
  prompt: z.string(),
  promptHash: z.string(),
  n: z.int(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  status: z.int().nullable(),
  fault: z.string().nullable(),
  images: z.int(),
  clientGone: z.boolean(),
});
export type Call = z.infer<typeof Call>;

/** The simulated provider, as a process of its own: its ledger outlives everything that is broken. */
export class Provider {
  readonly url: string;
  readonly process: RunningCli;

  constructor(url: string, process: RunningCli) {
    this.url = url;
    this.process = process;
  }

  async summary(): Promise<z.infer<typeof Summary>> {
    const answer = await fetch(`${this.url}/simulator/ledger`);
    return Summary.parse(await answer.json());
  }

  /** Every call in the order of its arrival. */
  async calls(): Promise<Call[]> {
    const text = await (await fetch(`${this.url}/simulator/calls`)).text();
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => Call.parse(JSON.parse(line)));
  }

  /** Changes how it behaves from the next call on. */
  async set(changes: SimulatorOptions): Promise<void> {
    const answer = await fetch(`${this.url}/simulator/settings`, {
      method: "POST",
      body: JSON.stringify(changes),
    });
    if (!answer.ok) throw new Error(`the simulator refused its settings: ${await answer.text()}`);
  }

  /** Waits until so many calls have been made in all. */
  async called(calls: number, timeoutMs?: number): Promise<void> {
    await until(
      `${calls} calls`,
      async () => (await this.summary()).calls >= calls || undefined,
      timeoutMs,
    );
  }

  /** Waits until nobody is waiting for an answer. */
  async quiet(): Promise<void> {
    await until("no call in flight", async () => (await this.summary()).inFlight === 0);
  }
}
