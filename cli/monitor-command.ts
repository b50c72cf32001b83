import { type Command, Option } from "commander";
import { messageOf } from "../shared/caught.ts";
import { defaultPrefix } from "../shared/keys.ts";
import type { Log } from "../shared/log.ts";
import type { ListenAddress } from "../shared/probes.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { readRunFile } from "../shared/run-file.ts";
import { statePaths } from "../producer/run-directory.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { UsageError } from "../shared/usage-error.ts";
import { livingEmbeddedRedis } from "./embedded-redis.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { listenAddress } from "./listen-address.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { createLog } from "./logger.ts";
import { readRedisTarget, readSecretFile } from "./redis-environment.ts";
import { signalled } from "./signals.ts";
import { Terminal } from "./terminal.ts";

interface MonitorFlags {
  runs: string;
  listen: ListenAddress;
  token?: string;
}

const help = `
It shows the runs of the folders that it is given, and nothing else; those under
way over REDIS_URL or over their own private Redis. On this machine anybody may
look; pausing, cancelling and retrying need the token, which is in the address
that is printed. Another address than this machine's needs --token (better:
IMAGEMILL_TOKEN, or the file that IMAGEMILL_TOKEN_FILE names), also for looking;
put a proxy with TLS before it.`;

/** `imagemill monitor`: the web page. */
export function monitorCommand(io: Io): Command {
  const command = new EnvironmentCommand("monitor")
    .description(
      "serve a web page that shows runs, retries, images, lanes and workers, and metrics",
    )
    .argument("[directories...]", "further run directories")
    .option("--runs <dir>", "folder whose sub-folders are run directories", "runs")
    .addOption(
      new Option("--listen <host:port>", "address to listen on")
        .argParser(listenAddress)
        .default({ host: "127.0.0.1", port: 8790 }, "127.0.0.1:8790"),
    )
    .option("--token <secret>", "lets its holder act (default: a new one at each start)")
    .addHelpText("after", help)
    .action(async (directories: string[], flags: MonitorFlags) => {
      for (const directory of directories) await requireRun(directory);
      const terminal = new Terminal(io.stderr);
      const log = await createLog(terminal, io.env, "info");
      await using monitor = await start(io, directories, flags, log);
      io.stdout.write(`${monitor.signInUrl}\n`);
      log.info({ url: monitor.url }, "the monitor listens; Ctrl-C ends it");
      await signalled();
    });
  return command;
}

async function requireRun(directory: string): Promise<void> {
  if (isS3Location(directory))
    throw new UsageError(
      `${directory} is no folder: the monitor shows a run there by its Redis, and serves images from folders only`,
    );
  if (await readRunFile(directory)) return;
  throw new UsageError(
    `expected a run directory, got ${directory}, which has no .imagemill/run.json`,
  );
}

async function start(
  io: Io,
  directories: readonly string[],
  { runs, listen, token: given }: MonitorFlags,
  log: Log,
) {
  const { isLoopback } = await import("../monitor/access.ts");
  const token = given ?? (await readSecretFile(io.env, "IMAGEMILL_TOKEN_FILE"));
  if (!isLoopback(listen.host) && token === undefined) {
    throw new UsageError(
      `${listen.host} can be reached from other machines: expected --token, IMAGEMILL_TOKEN or IMAGEMILL_TOKEN_FILE`,
    );
  }
  if (token !== undefined && token.length < 8)
    throw new UsageError("expected a token of at least 8 characters");
  const { startMonitor } = await import("../monitor/monitor.ts");
  try {
    return await startMonitor({
      places: { roots: [runs], directories },
      address: listen,
      token,
      redis: await readRedisTarget(io.env),
      privateRedis,
      prefix: defaultPrefix,
      cacheDirectory: cacheDirectory(io.env),
      log,
    });
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    throw new UsageError(`cannot listen on ${listen.host}:${listen.port}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function privateRedis(directory: string): Promise<RedisTarget | undefined> {
  const url = await livingEmbeddedRedis(statePaths(directory).state);
  return url === undefined ? undefined : parseRedisTarget(url);
}
