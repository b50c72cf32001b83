import {
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { folderPlace } from "../../producer/folder-place.ts";
import { folderStamps } from "../../producer/folder-stamps.ts";
import { reopenGone } from "../../producer/gone-images.ts";
import { replayJournal } from "../../producer/replay.ts";
import { prepareDirectory, statePaths } from "../../producer/run-directory.ts";
import { WholeFolders } from "../../producer/whole-folders.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { filesBelow } from "../helpers/run-files.ts";
import { finishedMill } from "./finished-mill.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const prompts = 4;

/** A minute from now, when no folder was changed a moment ago. */
const later = () => Date.now() + 60_000;

/** Looks for gone images as a run that is opened does, and tells how many there are and which folders were listed. */
async function look(directory: string): Promise<{ gone: number; listed: string[] }> {
  const real = folderPlace(directory);
  const { journal } = statePaths(directory);
  const { settled } = await replayJournal(journal, {
    round: 0,
    numGenerations: 1,
    retryKinds: null,
  });
  const listed: string[] = [];
  const place = {
    listImages: (folder: string) => {
      if (folder !== "images") listed.push(folder);
      return real.listImages(folder);
    },
    stampOf: folderStamps(directory, later),
  };
  const known = await WholeFolders.read(real.state);
  const gone = await reopenGone(place, journal, settled, 1, known);
  await known.write();
  return { gone, listed };
}

const stateFile = (directory: string) => join(directory, ".imagemill", "whole-folders.json");

describe.concurrent("a folder of images that was found whole", () => {
  test("is not listed again, and leaves nothing behind but what is known of it", async () => {
    await using mill = await finishedMill(server, prompts, 1);
    const before = filesBelow(join(mill.out, ".imagemill"));
    expect(await look(mill.out)).toEqual({ gone: 0, listed: ["images/00000"] });
    expect(await look(mill.out)).toEqual({ gone: 0, listed: [] });
    expect(filesBelow(join(mill.out, ".imagemill")).toSorted()).toEqual(
      [...before, "whole-folders.json"].toSorted(),
    );
  });

  test("is listed when an image was removed, until it is there again", async () => {
    await using mill = await finishedMill(server, prompts, 1);
    await look(mill.out);
    const path = join(mill.out, "images/00000/00000002-0.png");
    const bytes = readFileSync(path);
    rmSync(path);
    expect(await look(mill.out)).toEqual({ gone: 1, listed: ["images/00000"] });
    expect(await look(mill.out)).toEqual({ gone: 1, listed: ["images/00000"] });
    writeFileSync(path, bytes);
    expect(await look(mill.out)).toEqual({ gone: 0, listed: ["images/00000"] });
    expect(await look(mill.out)).toEqual({ gone: 0, listed: [] });
  });

  test("is listed though its time was put back", async () => {
    await using mill = await finishedMill(server, prompts, 1);
    const folder = join(mill.out, "images/00000");
    utimesSync(folder, 1_000_000, 1_000_000);
    await look(mill.out);
    rmSync(join(folder, "00000002-0.png"));
    utimesSync(folder, 1_000_000, 1_000_000);
    expect(await look(mill.out)).toMatchObject({ gone: 1 });
  });

  test("is listed when more of its prompts are settled", async () => {
    await using mill = await finishedMill(server, prompts, 1);
    const { journal } = statePaths(mill.out);
    const whole = readFileSync(journal);
    const last = whole.lastIndexOf("\n", whole.length - 2) + 1;
    const [, index] = /"index":(\d+)/.exec(whole.toString("utf8", last))!;
    rmSync(join(mill.out, `images/00000/0000000${index}-0.png`));
    truncateSync(journal, last);
    expect(await look(mill.out)).toEqual({ gone: 0, listed: ["images/00000"] });
    writeFileSync(journal, whole);
    expect(await look(mill.out)).toEqual({ gone: 1, listed: ["images/00000"] });
  });

  test.each([
    ["torn", (text: string) => text.slice(0, -20)],
    ["empty", () => ""],
    ["of another version", (text: string) => text.replace('"v":1', '"v":2')],
  ])("is listed once more where the file that says so is %s", async (_, damage) => {
    await using mill = await finishedMill(server, prompts, 1);
    await look(mill.out);
    const text = readFileSync(stateFile(mill.out), "utf8");
    writeFileSync(stateFile(mill.out), damage(text));
    expect(await look(mill.out)).toEqual({ gone: 0, listed: ["images/00000"] });
    expect(readFileSync(stateFile(mill.out), "utf8")).toBe(text);
  });
});

test("a folder has a stamp only when it was not changed a moment ago", async () => {
  const directory = mkdtempSync(join(tmpdir(), "imagemill-stamps-"));
  await prepareDirectory(directory);
  expect(await folderStamps(directory)(".")).toBeUndefined();
  expect(await folderStamps(directory, later)(".")).toMatch(/^\d+( \d+){3}$/);
  expect(await folderStamps(directory, later)("nowhere")).toBeUndefined();
  rmSync(directory, { recursive: true });
});
