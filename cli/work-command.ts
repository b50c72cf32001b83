import cluster from "node:cluster";
import { type Command, Option } from "commander";
import type { Log } from "../shared/log.ts";
import { isPublicHost } from "../shared/profile.ts";
import type { ListenAddress } from "../shared/probes.ts";
import type { S3Options } from "../shared/open-store.ts";
import type { RedisTarget } from "../shared/redis-target.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { ProxySettings } from "../worker/providers/http.ts";
import type { ImageWorker } from "../worker/create-worker.ts";
import type { WorkerProfile } from "../worker/run-contexts.ts";
import { readConfig, type FoundConfig } from "./config.ts";
import { EnvironmentCommand, exitCodes, type Io } from "./io.ts";
import { keepProcesses } from "./keep-processes.ts";
import { listenAddress } from "./listen-address.ts";
import { listOption } from "./list-option.ts";
import { createLog } from "./logger.ts";
import { duration, wholeNumber } from "./numbers.ts";
import { placeAccess } from "./place-access.ts";
import { profileOf } from "./profiles.ts";
import { mostProcesses, processBound, processCount } from "./process-bound.ts";
import { prepareRedis } from "./prepare-redis.ts";
import { readProxySettings } from "./proxy-environment.ts";
import { configOption } from "./run-options.ts";
import { sharedRedis } from "./queue-access.ts";
import { endAtSignal } from "./signals.ts";
import { Terminal } from "./terminal.ts";

interface WorkFlags {
  concurrency: number;
  processes: number;
  grace?: number;
  lanes?: string[];
  storageRoot?: string;
  imageHosts?: string[];
  listen?: ListenAddress;
  config?: string;
  otel?: true;
}

const help = `
A worker serves every lane whose provider it can reach. It needs
  REDIS_URL;
  the provider's key or base URL: OPENAI_API_KEY, OPENAI_BASE_URL, HF_TOKEN,
  HF_BASE_URL (several URLs, separated by commas, share the calls);
  the run directory, at the producer's path or below --storage-root under the
  same name; for runs at s3:// the AWS_… variables.
Start as many as you like. SIGTERM finishes calls in flight, a second one gives
them up. With --processes each process has a heartbeat, memory and calls of its
own (see imagemill status), and one that dies is replaced.`;

/** `imagemill work`: a worker for producers elsewhere. */
export function workCommand(io: Io): Command {
  const command = new EnvironmentCommand("work").description(
    "make images for producers on any machine, until it is stopped",
  );
  return addWorkOptions(command)
    .addHelpText("after", help)
    .action(async (flags: WorkFlags) => {
      io.exitCode = await startWork(io, flags);
    });
}

function addWorkOptions(command: Command): Command {
  return command
    .option(
      "-c, --concurrency <n>",
      "calls in flight at once at most, per lane and process",
      wholeNumber(1),
      100,
    )
    .option(
      "--processes <n>",
      `worker processes, for machines with several cores: ${mostProcesses()} here at most (${processBound})`,
      processCount,
      1,
    )
    .option(
      "--lanes <names>",
      "serve only lanes whose name holds one of these, separated by commas",
      listOption,
    )
    .addOption(
      new Option(
        "--grace <time>",
        "how long calls in flight may go on at SIGTERM (default: the runs' call timeout)",
      ).argParser(duration),
    )
    .addOption(configOption())
    .option("--storage-root <dir>", "folder where the producers' run directories are mounted here")
    .option(
      "--image-hosts <hosts>",
      "private hosts that images at URLs may come from, besides the provider's own",
      listOption,
    )
    .option(
      "--listen <host:port>",
      "serve /metrics, /livez and /readyz there, such as 0.0.0.0:9464",
      listenAddress,
    )
    .option("--otel", "trace BullMQ's jobs with OpenTelemetry, whose SDK NODE_OPTIONS loads");
}

/** Works in this process, or keeps several at work, until the first signal. Gives the exit code. */
async function startWork(io: Io, flags: WorkFlags): Promise<number> {
  const terminal = new Terminal(io.stderr);
  const log = await createLog(terminal, io.env, "info");
  const config = await readConfig(process.cwd(), flags.config);
  const profiles = reachableProfiles(io, flags.imageHosts, config);
  const proxy = readProxySettings(io.env);
  const { s3 } = placeAccess(io.env);
  const redis = await sharedRedis(io);
  if (cluster.isPrimary) await prepareRedis(redis, (text) => log.warn({}, text));
  return flags.processes > 1 && cluster.isPrimary
    ? await workInProcesses({ redis, flags, terminal, log })
    : await work({ redis, profiles, proxy, s3, flags, terminal, log });
}

interface WorkParts {
  redis: RedisTarget;
  profiles: readonly WorkerProfile[];
  proxy: ProxySettings;
  s3: S3Options | undefined;
  flags: WorkFlags;
  terminal: Terminal;
  log: Log;
}

/** Keeps several processes at work. Gives the exit code. */
async function workInProcesses({
  redis,
  flags,
  terminal,
  log,
}: Omit<WorkParts, "profiles" | "proxy" | "s3">): Promise<number> {
  const { serveProcessesProbes } = await import("./work-probes.ts");
  await using _ = await serveProcessesProbes(flags.listen, redis, log);
  return await keepProcesses(flags.processes, terminal, log);
}

/** Works in this process until the first signal. Gives the exit code. */
async function work({
  redis,
  profiles,
  proxy,
  s3,
  flags,
  terminal,
  log,
}: WorkParts): Promise<number> {
  const { createWorker } = await import("../library/create-worker.ts");
  const { serveWorkerProbes } = await import("./work-probes.ts");
  const { WorkerMetrics } = await import("../worker/metrics.ts");
  const metrics = new WorkerMetrics(() => worker.callsInFlight());
  const worker: ImageWorker = await createWorker({
    redis,
    providers: profiles,
    concurrency: flags.concurrency,
    lanes: flags.lanes,
    storageRoot: flags.storageRoot,
    s3,
    proxy,
    log,
    observer: metrics,
    telemetry: flags.otel && (await import("./tracing.ts")).openTracing(log),
  });
  await using _ = await serveWorkerProbes(flags.listen, worker, metrics, log);
  log.info({ worker: worker.id, profiles: profiles.map(({ name }) => name) }, "working");
  await endAtSignal(
    terminal,
    () => worker.callsInFlight(),
    async () => {
      const abandoned = await worker.close(flags.grace);
      if (abandoned > 0)
        log.warn({ calls: abandoned }, "calls given up: they may be charged a second time");
    },
  );
  // Who was asked to end has done its work.
  return exitCodes.done;
}

/** The providers that the environment gives a key or a base URL for. @throws UsageError where there is none */
function reachableProfiles(
  io: Io,
  imageHosts: readonly string[] | undefined,
  config: FoundConfig | undefined,
): WorkerProfile[] {
  const profiles = ["openai", "huggingface", ...(config?.profiles.keys() ?? [])]
    .map((name) => profileOf(name, io.env, { imageHosts }, config))
    .filter((profile) => profile.apiKey !== undefined || !isPublicHost(profile));
  if (profiles.length > 0) return profiles;
  throw new UsageError(
    "this worker could reach no provider: set OPENAI_API_KEY, HF_TOKEN, OPENAI_BASE_URL or HF_BASE_URL, or name a profile in imagemill.config.ts",
  );
}
