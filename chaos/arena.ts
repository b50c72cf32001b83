import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { RunningCli } from "../test/helpers/cli.ts";
import { startTestRedis, type TestRedis } from "../test/helpers/redis.ts";
import { startS3Server, type S3Server } from "../test/helpers/s3-server.ts";
import { readJournalOf } from "../test/helpers/run-files.ts";
import type { SimulatorOptions } from "../simulator/settings.ts";
import { Processes } from "./processes.ts";
import { Provider } from "./provider.ts";
import { seededRandom } from "./random.ts";
import { until } from "./until.ts";

/** How a scenario is to be played. */
export interface ArenaOptions {
  seed: number;
  /** The form for `npm test`: smaller, with less waiting. */
  short: boolean;
}

/** Where one scenario plays: a folder, real processes, a seeded chance, and notes of what was broken when. */
export class Arena implements AsyncDisposable {
  readonly short: boolean;
  readonly random: () => number;
  readonly folder: string;
  readonly processes = new Processes();
  /** What commands see of the environment. */
  readonly env: Record<string, string>;
  /** When something was broken, or came back from being broken: milliseconds since 1970. */
  readonly broken: number[] = [];
  /** Calls that may be bought a second time: those in flight in processes that were killed. */
  mayBuyTwice = 0;
  #provider: Provider | undefined;
  #redis: TestRedis | undefined;
  #bucket: S3Server | undefined;
  #peakRedisBytes = 0;

  constructor({ seed, short }: ArenaOptions) {
    this.short = short;
    this.random = seededRandom(seed);
    this.folder = mkdtempSync(join(tmpdir(), "imagemill-chaos-"));
    const home = join(this.folder, "home");
    mkdirSync(home);
    this.env = { HOME: home };
  }

  /** One of two sizes: for the full form and for the short one. */
  size(full: number, short: number): number {
    return this.short ? short : full;
  }

  get provider(): Provider {
    if (!this.#provider) throw new Error("the scenario has not opened its provider");
    return this.#provider;
  }

  get redis(): TestRedis {
    if (!this.#redis) throw new Error("the scenario has not opened its Redis");
    return this.#redis;
  }

  /** The highest `used_memory` that Redis told of, in MB. */
  get peakRedisMb(): number {
    return this.#peakRedisBytes / 1024 / 1024;
  }

  /** Starts a simulated provider and points the commands at it. */
  async openProvider(settings: SimulatorOptions = {}): Promise<Provider> {
    const provider = await this.startProvider(settings);
    this.#provider = provider;
    this.env["OPENAI_BASE_URL"] = `${provider.url}/v1`;
    this.env["HF_BASE_URL"] = provider.url;
    return provider;
  }

  /** Starts a simulated provider; `port` 0 is any free one. */
  async startProvider(settings: SimulatorOptions, port = 0): Promise<Provider> {
    const all = { keepCalls: 2_000_000, ...settings };
    const process = this.start("simulate", "--port", `${port}`, "--settings", JSON.stringify(all));
    const url = await until(
      "the simulator to listen",
      () => /simulated provider at (\S+):/.exec(process.stderr)?.[1],
    );
    return new Provider(url, process);
  }

  /** Starts a shared Redis with an append-only file and points the commands at it. */
  async openRedis(...settings: string[]): Promise<TestRedis> {
    this.#redis = await startTestRedis({
      tcp: true,
      arguments: ["--appendonly", "yes", "--maxmemory-policy", "noeviction", ...settings],
    });
    this.env["REDIS_URL"] = this.#redis.url;
    return this.#redis;
  }

  /** Starts S3-compatible storage with one bucket and lets the commands use it. */
  async openBucket(): Promise<S3Server> {
    this.#bucket = await startS3Server();
    // How long the SDK tries by itself is not what is looked at.
    Object.assign(this.env, this.#bucket.env, { AWS_MAX_ATTEMPTS: "2" });
    return this.#bucket;
  }

  /** Asks Redis something, by a connection of its own. */
  async ask<Answer>(question: (redis: Redis) => Promise<Answer>): Promise<Answer> {
    const redis = new Redis(this.redis.url, { maxRetriesPerRequest: 3, lazyConnect: true });
    redis.on("error", () => undefined);
    try {
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** Notes how much memory Redis has used at most; call it before Redis is killed and at the end. */
  async noteRedisMemory(): Promise<void> {
    if (!this.#redis) return;
    const memory = await this.ask((redis) => redis.info("memory"));
    const peak = Number(/^used_memory_peak:(\d+)/m.exec(memory)?.[1] ?? 0);
    this.#peakRedisBytes = Math.max(this.#peakRedisBytes, peak);
  }

  /** Writes a dataset of rows, one JSON object a line, and gives its path. */
  dataset(rows: readonly object[], name = "prompts.jsonl"): string {
    const path = join(this.folder, name);
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return path;
  }

  /** A run directory of this arena. */
  out(name = "out"): string {
    return join(this.folder, name);
  }

  /** Starts a command of the real command line. */
  start(...args: string[]): RunningCli {
    return this.processes.start(args, { cwd: this.folder, env: this.env });
  }

  /** Starts a command that sees more of the environment. */
  startWith(env: Record<string, string>, ...args: string[]): RunningCli {
    return this.processes.start(args, { cwd: this.folder, env: { ...this.env, ...env } });
  }

  /** Starts a worker with so many calls in flight. */
  work(concurrency: number, ...args: string[]): RunningCli {
    return this.start("work", "-c", `${concurrency}`, ...args);
  }

  /** Kills a process as a crash does. `calls`: how many it can have had in flight. */
  async kill(cli: RunningCli, calls: number): Promise<void> {
    this.brokenNow();
    this.mayBuyTwice += calls;
    cli.kill("SIGKILL");
    await cli.ended;
  }

  /** Notes that something was broken, or mended, at this moment. */
  brokenNow(): void {
    this.broken.push(Date.now());
  }

  /** Waits until the journal of a run directory has so many lines. */
  async settled(lines: number, out = this.out(), timeoutMs = 120_000): Promise<void> {
    await until(
      `${lines} lines in the journal; the processes printed:\n${this.processes.printed}`,
      () => readJournalOf(out).length >= lines,
      timeoutMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.processes[Symbol.asyncDispose]();
    await this.#redis?.close();
    await this.#bucket?.[Symbol.asyncDispose]();
    // A private Redis whose run was killed may still be writing.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 40, retryDelay: 50 });
  }
}
