import { type Command, Option } from "commander";
import { messageOf } from "../shared/caught.ts";
import { defaultPrefix } from "../shared/keys.ts";
import type { Log } from "../shared/log.ts";
import { pathTrouble, shownPath } from "../shared/path-trouble.ts";
import type { ListenAddress } from "../shared/probes.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import type { RunPlaces } from "../monitor/run-places.ts";
import { workFolder, type PlaceAccess } from "../producer/open-place.ts";
import { statePaths } from "../producer/run-directory.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";
import { livingEmbeddedRedis } from "./embedded-redis.ts";
import { findRun } from "./find-run.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { listenAddress } from "./listen-address.ts";
import { cacheDirectory } from "./cache-directory.ts";
import { createLog } from "./logger.ts";
import { placeAccess } from "./place-access.ts";
import { readRedisTarget, readSecretFile } from "./redis-environment.ts";
import { signalled } from "./signals.ts";
import { Terminal } from "./terminal.ts";

interface MonitorFlags {
  runs: string;
  listen: ListenAddress;
  token?: string;
}

const help = `
It shows the runs of the places that it is given, and nothing else; those under
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
    .argument("[runs...]", "further runs: directories, s3:// locations or ids")
    .option("--runs <dir>", "folder or s3:// location below which runs are", "runs")
    .addOption(
      new Option("--listen <host:port>", "address to listen on")
        .argParser(listenAddress)
        .default({ host: "127.0.0.1", port: 8790 }, "127.0.0.1:8790"),
    )
    .option("--token <secret>", "lets its holder act (default: a new one at each start)")
    .addHelpText("after", help)
    .action(async (directories: string[], flags: MonitorFlags) => {
      const access = placeAccess(io.env);
      const places = await placesOf(directories, flags.runs, access);
      const terminal = new Terminal(io.stderr);
      const log = await createLog(terminal, io.env, "info");
      await using monitor = await start(io, places, flags, log, access);
      io.stdout.write(`${monitor.signInUrl}\n`);
      log.info({ url: monitor.url }, "the monitor listens; Ctrl-C ends it");
      await signalled();
    });
  return command;
}

/** @throws UsageError where one of them is no run or cannot be reached */
async function placesOf(
  directories: readonly string[],
  runs: string,
  access: PlaceAccess,
): Promise<RunPlaces> {
  const found = await Promise.all(directories.map((text) => findRun(text, access)));
  const { bucketsOf, foldersOf } = await import("../monitor/run-places.ts");
  const places = {
    roots: [runs],
    directories: found.map(({ location }) => location),
    s3: access.s3,
  };
  try {
    await foldersOf(places);
    await bucketsOf(places);
    return places;
  } catch (error) {
    if (error instanceof StorageError) throw new UsageError(error.message, { cause: error });
    const why = pathTrouble(error);
    if (why === undefined) throw error;
    throw new UsageError(`cannot look for runs in ${shownPath(runs)}: ${why}`, { cause: error });
  }
}

async function start(
  io: Io,
  places: RunPlaces,
  { listen, token: given }: MonitorFlags,
  log: Log,
  { cacheFolder }: PlaceAccess,
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
      places,
      address: listen,
      token,
      redis: await readRedisTarget(io.env),
      privateRedis: (location) => privateRedis(workFolder(location, cacheFolder)),
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
