import { once } from "node:events";
import { z } from "zod";
import type { SimulatorOptions } from "../simulator/settings.ts";
import { type BenchProcess, startImagemill } from "./processes.ts";

const Call = z.object({
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  status: z.number().nullable(),
  n: z.number(),
  tokens: z.number(),
});
/** A call as the simulator's ledger has it; times are milliseconds since 1970. */
export type Call = z.infer<typeof Call>;

/** The simulator in a process of its own. */
export interface BenchSimulator extends AsyncDisposable {
  url: string;
  set(settings: SimulatorOptions): Promise<void>;
  calls(): Promise<Call[]>;
}

/** Starts a simulator. */
export async function startBenchSimulator(
  settings: SimulatorOptions = {},
): Promise<BenchSimulator> {
  const args = ["simulate", "--port", "0", "--settings", JSON.stringify(settings)];
  const process = startImagemill(args);
  const url = await firstLine(process);
  return {
    url,
    set: async (changes) => {
      const body = JSON.stringify(changes);
      const response = await fetch(`${url}/simulator/settings`, { method: "POST", body });
      if (!response.ok) throw new Error(await response.text());
    },
    calls: async () => {
      const response = await fetch(`${url}/simulator/calls`);
      const lines = (await response.text()).split("\n").filter((text) => text !== "");
      return lines.map((text) => Call.parse(JSON.parse(text)));
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

async function firstLine({ child, ended }: BenchProcess): Promise<string> {
  const line = once(child.stdout!, "data").then(([text]) => String(text).trim());
  const early = ended.then(() => {
    throw new Error("the simulator ended before it was ready");
  });
  return await Promise.race([line, early]);
}
