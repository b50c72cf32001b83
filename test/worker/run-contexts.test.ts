import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { localStorage } from "../../shared/local-storage.ts";
import { silentLog } from "../../shared/log.ts";
import type { Profile } from "../../shared/profile.ts";
import type { Registration } from "../../shared/registration.ts";
import { writeRunFile } from "../../shared/run-file.ts";
import { RenewableKey } from "../../worker/renewable-key.ts";
import { RunContexts, type RunContextOptions } from "../../worker/run-contexts.ts";
import { OnePicture } from "../library/library-stage.ts";
import { s3Options } from "../helpers/s3-server.ts";
import { openTestServer, testLocation } from "../helpers/s3-stores.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";
import { until } from "../helpers/until.ts";

const profile: Profile = { name: "test", kind: "openai", keyVariable: "TEST_KEY" };
const file = testRun();

function contextsWith(options: Pick<RunContextOptions, "createModel" | "s3">): RunContexts {
  return new RunContexts({ profile, key: new RenewableKey(profile), log: silentLog, ...options });
}

function registrationAt(location: string, revision = 0): Registration {
  return { v: 1, run: file.id, round: 0, revision, location, host: "host", state: "running" };
}

/** A run directory with nothing but `run.json`. */
async function runDirectory(): Promise<string> {
  const directory = temporaryFolder();
  mkdirSync(join(directory, ".imagemill"));
  await writeRunFile(directory, file);
  return directory;
}

test("settings that were changed on resume are read by the revision that is registered with them", async () => {
  const directory = await runDirectory();
  const contexts = contextsWith({ createModel: async () => new OnePicture() });
  expect((await contexts.get(registrationAt(directory))).file.attempts).toBe(file.attempts);
  await writeRunFile(directory, { ...file, attempts: file.attempts + 1, revision: 1 });
  expect((await contexts.get(registrationAt(directory))).file.attempts).toBe(file.attempts);
  const changed = await contexts.get(registrationAt(directory, 1));
  expect(changed.file.attempts).toBe(file.attempts + 1);
});

test("images of a run that goes on in a copy of its directory are stored there", async () => {
  const [directory, copy] = [await runDirectory(), await runDirectory()];
  const locations: string[] = [];
  const contexts = new RunContexts({
    profile,
    key: new RenewableKey(profile),
    log: silentLog,
    createModel: async () => new OnePicture(),
    openStorage: (location, { durable }) => {
      locations.push(location);
      return localStorage(location, { durable });
    },
  });
  for (const at of [directory, copy, copy]) await contexts.get(registrationAt(at));
  expect(locations).toEqual([directory, copy]);
});

test("a model that gets ready after its run has left the lane is let go once", async () => {
  const directory = await runDirectory();
  const ready = Promise.withResolvers<void>();
  let unloads = 0;
  class SlowPicture extends OnePicture {
    override load(): Promise<void> {
      return ready.promise;
    }
    override async unload(): Promise<void> {
      unloads += 1;
    }
  }
  const contexts = contextsWith({ createModel: async () => new SlowPicture() });
  const opening = contexts.get(registrationAt(directory));
  const looks = [contexts.retain(new Map()), contexts.retain(new Map())];
  ready.resolve();
  await opening;
  await Promise.all(looks);
  expect(unloads).toBe(1);
});

test("a bucket is let go where the model of its run cannot be made", async () => {
  const server = await openTestServer();
  server.bucket.set("runs/first/.imagemill/run.json", Buffer.from(JSON.stringify(file)));
  const contexts = contextsWith({
    s3: s3Options(server),
    createModel: async () => {
      throw new ProviderError("auth", "no key");
    },
  });
  await expect(contexts.get(registrationAt(testLocation))).rejects.toThrow("no key");
  await until(async () => expect(await server.connections()).toBe(0));
});
