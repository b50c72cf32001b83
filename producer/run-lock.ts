import { existsSync } from "node:fs";
import { link, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../shared/caught.ts";
import { repeat } from "../shared/repeat.ts";
import { stateFolder } from "../shared/state-files.ts";
import { UsageError } from "../shared/usage-error.ts";
import { foreignTimeoutMs, livesHere, LockHolder, thisProcess, touchMs } from "./lock-holder.ts";

/** Another producer that lives holds the run. */
export class RunInUseError extends UsageError {}

/** Another producer has taken the run over: this one must not write any more. */
export class RunLostError extends UsageError {}

/** The right to write a run's journal. */
export interface RunLock extends AsyncDisposable {
  readonly epoch: number;
  /** @throws RunLostError where another producer has taken the run over */
  check(): Promise<void>;
}

/**
 * Takes the run's lock. A dead holder is replaced: at once on this host, after 15 s of silence on another.
 * @throws RunInUseError naming the living holder
 * @throws UsageError where what is there is no lock
 */
export async function acquireRunLock(directory: string): Promise<RunLock> {
  const path = join(directory, stateFolder, "run.lock");
  for (;;) {
    const holder = await readLock(path);
    const mine = thisProcess((holder?.epoch ?? 0) + 1);
    if (!holder) {
      if (await createWhole(path, mine)) return held(path, mine);
      continue;
    }
    if (await isAlive(path, holder)) {
      throw new RunInUseError(
        `${directory} is in use by process ${holder.pid} on ${holder.host}: wait for it or stop it (lock: ${path})`,
      );
    }
    if (await replaceDead(path, holder, mine)) return held(path, mine);
  }
}

async function readLock(path: string): Promise<LockHolder | undefined> {
  try {
    return LockHolder.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new UsageError(`${path} is not a lock file of imagemill: remove it if no producer runs`, {
      cause: error,
    });
  }
}

/** Creates the file with its content in one step; false where it exists. */
async function createWhole(path: string, lock: LockHolder): Promise<boolean> {
  const temporary = `${path}.${lock.token}`;
  await writeFile(temporary, JSON.stringify(lock));
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Of several that find the same dead holder, the one that creates the claim of the next epoch replaces it. */
async function replaceDead(path: string, dead: LockHolder, mine: LockHolder): Promise<boolean> {
  const claim = `${path}.${mine.epoch}`;
  if (!(await createWhole(claim, mine))) {
    const other = await readLock(claim);
    if (other && !(await isAlive(claim, other))) await rm(claim, { force: true });
    return false;
  }
  if ((await readLock(path))?.token !== dead.token) {
    await rm(claim, { force: true });
    return false;
  }
  await rename(claim, path);
  return true;
}

async function isAlive(path: string, holder: LockHolder): Promise<boolean> {
  const isLiving = await livesHere(holder);
  if (isLiving !== undefined) return isLiving;
  // The other machine's clock may differ from ours: watch whether the time of the file moves, not how old it is.
  const before = await touchedAt(path);
  const end = Date.now() + foreignTimeoutMs;
  while (Date.now() < end) {
    await delay(500);
    if ((await touchedAt(path)) !== before) return true;
  }
  return false;
}

async function touchedAt(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.mtimeMs;
}

function held(path: string, mine: LockHolder): RunLock {
  const released = new AbortController();
  const check = async () => {
    const current = await readLock(path);
    if (current?.token === mine.token) return;
    const taker = current
      ? `process ${current.pid} on ${current.host}`
      : "somebody who removed the lock";
    throw new RunLostError(
      existsSync(dirname(path))
        ? `this producer lost its run to ${taker}: it writes nothing more`
        : `${dirname(dirname(path))} was moved or removed: its producer writes nothing more. Where the directory is now, \`imagemill resume\` goes on with it`,
    );
  };
  const touch = async () => {
    await check();
    await utimes(path, new Date(), new Date());
  };
  // A lost lock is noticed by who writes next; a lock that cannot be touched now may be later.
  const touching = repeat(touchMs, released.signal, touch, () => undefined);
  return {
    epoch: mine.epoch,
    check,
    [Symbol.asyncDispose]: async () => {
      released.abort();
      await touching;
      if ((await readLock(path))?.token === mine.token) await rm(path);
    },
  };
}
