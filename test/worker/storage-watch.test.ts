import { expect, test } from "vitest";
import { silentLog } from "../../shared/log.ts";
import { StorageError } from "../../shared/storage.ts";
import { Gate } from "../../worker/gate.ts";
import { HandBack } from "../../worker/job-moves.ts";
import { StorageWatch } from "../../worker/storage-watch.ts";
import { until } from "../helpers/until.ts";

/** Something in a storage that is in trouble at first, and then does this. */
function afterTrouble<Found>(then: () => Found): () => Promise<Found> {
  let tries = 0;
  return async () => {
    if (tries++ === 0) throw new StorageError("the disk is full");
    return then();
  };
}

function fail(): never {
  throw new TypeError("a bug of the storage");
}

function openWatch() {
  const gate = new Gate();
  const abandon = new AbortController();
  return { gate, abandon, watch: new StorageWatch(gate, silentLog, abandon.signal) };
}

test("calls of a run wait while its storage is in trouble, and go on once it works", async () => {
  const { gate, watch } = openWatch();
  const storing = watch.insist(
    "run",
    "job",
    afterTrouble(() => "stored"),
  );
  await until(() => expect(watch.waitingJobs).toBe(1));
  expect(gate.waitingFor).toBe("storage: the disk is full");
  expect(() => gate.mayStart("run")).toThrow(HandBack);
  expect(gate.mayStart("other")).toBe(true);
  expect(await storing).toBe("stored");
  expect([watch.waitingJobs, gate.mayStart("run")]).toEqual([0, true]);
});

test("a storage that fails in another way after its trouble keeps no call of the run waiting", async () => {
  const { gate, watch } = openWatch();
  await expect(watch.insist("run", "job", afterTrouble(fail))).rejects.toThrow("a bug");
  expect(gate.mayStart("run")).toBe(true);
});

test("nobody waits for a storage any more once the worker gives up", async () => {
  const { gate, abandon, watch } = openWatch();
  const storing = watch.insist("run", "job", async () => {
    throw new StorageError("the disk is full");
  });
  abandon.abort(new Error("the grace time is over"));
  await expect(storing).rejects.toThrow("abort");
  expect(watch.waitingJobs).toBe(0);
  expect(gate.waitingFor).toBe("storage: the disk is full");
});
