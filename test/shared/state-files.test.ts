import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folderPlace } from "../../producer/folder-place.ts";
import { stateFilesOf } from "../../shared/state-files.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

function openState() {
  const directory = temporaryFolder();
  const folder = join(directory, ".imagemill");
  mkdirSync(folder);
  return { directory, folder, files: stateFilesOf(directory) };
}

describe("state files in a folder", () => {
  test("many writers of one file at once all succeed, and leave one of their texts whole", async () => {
    const { folder, files } = openState();
    const texts = Array.from({ length: 50 }, (_, writer) => `${writer} `.repeat(1_000));
    await Promise.all(texts.map((text) => files.write("steering.json", text)));
    expect(texts).toContain(await files.read("steering.json"));
    expect(readdirSync(folder)).toEqual(["steering.json"]);
  });

  test("a write that fails leaves nothing behind", async () => {
    const { folder, files } = openState();
    mkdirSync(join(folder, "steering.json"));
    await expect(files.write("steering.json", "text")).rejects.toThrow(/EISDIR|ENOTEMPTY/);
    expect(readdirSync(folder)).toEqual(["steering.json"]);
  });

  test("what a crash left half written is removed with the next producer, once it is old; what is being written is not", async () => {
    const { directory, folder, files } = openState();
    await files.write("run.json", "text");
    const [old, fresh] = ["0", "1"].map(
      (digit) => `run.json.00000000-0000-4000-8000-00000000000${digit}.new`,
    );
    // An output that is being written, however long it takes, is no state file.
    for (const file of [old!, fresh!, "results.jsonl.new"]) writeFileSync(join(folder, file), "");
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    for (const file of [old!, "results.jsonl.new"])
      utimesSync(join(folder, file), longAgo, longAgo);
    await folderPlace(directory).open();
    expect(readdirSync(folder).toSorted()).toEqual(["results.jsonl.new", "run.json", fresh]);
  });
});
