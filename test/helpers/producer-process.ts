import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { openRun } from "../../producer/open-run.ts";
import type { RunSettings } from "../../producer/run-settings.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";

/** What a producer in a process of its own is told. */
export interface ProducerOrder {
  out: string;
  settings: RunSettings;
  redisUrl: string;
  prefix: string;
}

/** A producer that can be killed. */
export interface ProducerProcess extends AsyncDisposable {
  /** False once it has ended. */
  readonly alive: boolean;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
}

/** Starts a producer in a process of its own. */
export function startProducer(order: ProducerOrder): ProducerProcess {
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), JSON.stringify(order)],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  const kill = async () => {
    if (!isAlive()) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return {
    get alive() {
      return isAlive();
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { out, settings, redisUrl, prefix }: ProducerOrder = JSON.parse(process.argv[2]!);
  const queue = async () => ({ redis: parseRedisTarget(redisUrl), isPrivate: false });
  const run = await openRun({ out, settings, queue, passThrough: false, prefix });
  await run.finished;
}
