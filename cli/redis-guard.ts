import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A server that is asked to end has this long: it only has to write what is left of its append-only file. */
export const stopLimitMs = 10_000;

/**
 * Runs `"$@"` as long as standard input is open: the kernel closes that when imagemill ends, even by `kill -9`.
 * A server that ends by itself is started again, but where it could not start at all: exit codes 1, 126, 127.
 */
const script = `
exec 3<&0 </dev/null
stopping= server=
trap 'stopping=yes; [ -z "$server" ] || kill -TERM "$server" 2>/dev/null' TERM
{ read -r _ <&3; kill -TERM $$; } &
watcher=$!
while [ -z "$stopping" ]; do
  "$@" 3<&- &
  server=$!
  # The signal may have come between the two lines above.
  [ -z "$stopping" ] || kill -TERM "$server" 2>/dev/null
  # A signal ends \`wait\` too: ask again until the server itself is gone.
  while wait "$server"; status=$?; kill -0 "$server" 2>/dev/null; do :; done
  case "$stopping$status" in yes* | 1 | 126 | 127) break ;; esac
  sleep 0.2
done
kill "$watcher" 2>/dev/null
exit "\${status:-0}"
`;

/**
 * Starts a server that ends with this process, however that ends, and is restarted when it dies. Its output goes to
 * the file `logFd`. The guard leads a process group of its own, so that Ctrl-C in the terminal does not end the
 * server before the run has ended. Of the environment it gets only PATH: the keys are none of its business.
 */
export async function spawnGuarded(
  command: string[],
  path: string,
  logFd: number,
): Promise<ChildProcess> {
  const guard = spawn("sh", ["-c", script, "imagemill-redis", ...command], {
    detached: true,
    stdio: ["pipe", logFd, logFd],
    env: { PATH: path },
  });
  await once(guard, "spawn");
  return guard;
}

/** Lets this process end when only the guard is left; the server ends with it. */
export function unrefGuard(guard: ChildProcess): void {
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
}

/** True once the guard, and so its server, is gone. */
export function hasEnded(guard: ChildProcess): boolean {
  return guard.exitCode !== null || guard.signalCode !== null;
}

/** Lets the server end by closing the guard's input; kills both where that takes longer than {@link stopLimitMs}. */
export async function endGuarded(guard: ChildProcess): Promise<void> {
  if (hasEnded(guard)) return;
  guard.ref();
  const ended = once(guard, "exit");
  guard.stdin?.destroy();
  // A server that was stopped as it was would hear nothing of its end.
  signalGroup(guard.pid!, "SIGCONT");
  const timeUp = new AbortController();
  const limit = delay(stopLimitMs, "late", { signal: timeUp.signal }).catch(() => "in time");
  if ((await Promise.race([ended, limit])) === "late") signalGroup(guard.pid!, "SIGKILL");
  await ended;
  timeUp.abort();
}

/** Signals every process of the group, if there is one left. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
