import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { exportRun } from "../../../producer/export/export-run.ts";
import { ExportStopped } from "../../../producer/export/export-stopped.ts";
import { UsageError } from "../../../shared/usage-error.ts";
import { withFileSizeLimit } from "../../helpers/file-size-limit.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";
import { fileOf, jsonLines, promptLine, rejectedLine } from "../outputs/small-run.ts";
import { exportableRun, lineOfImages, settle } from "./exportable-run.ts";
import { parquetObjects } from "./read-exports.ts";

const destination = () => join(temporaryFolder(), "deep", "to");

describe("an export that cannot be finished", () => {
  /** The second shard is larger than the limit below. */
  const lines = [lineOfImages(0), lineOfImages(1, { bytes: 300_000 })];
  const shardBytes = 10_000;
  const half = async (directory: string, to: string, format: "parquet" | "webdataset") => {
    const options = { directory, to, format, shardBytes };
    await expect(withFileSizeLimit(100_000, () => exportRun(options))).rejects.toThrow(
      /^cannot go on exporting to .*EFBIG.*the same command goes on/,
    );
    expect(existsSync(to)).toBe(false);
    return join(`${to}.partial`, "files", "data");
  };

  test.each(["parquet", "webdataset"] as const)(
    "is not at its destination, and goes on with the whole shards that it has: %s",
    async (format) => {
      const [directory, to] = [exportableRun(lines), destination()];
      const data = await half(directory, to, format);
      const [first] = readdirSync(data).filter((name) => !name.endsWith(".new"));
      expect(first).toMatch(/^train-00000-of-00003\./);
      const before = statSync(join(data, first!), { bigint: true });
      await exportRun({ directory, to, format, shardBytes });
      const after = statSync(join(to, "data", first!), { bigint: true });
      expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
      expect(readdirSync(join(to, "data"))).toHaveLength(3);
      expect(readdirSync(dirname(to))).toEqual(["to"]);
    },
  );

  test("begins anew where the run has settled more in the meantime", async () => {
    const [directory, to] = [exportableRun(lines), destination()];
    await half(directory, to, "parquet");
    settle(directory, lineOfImages(2));
    await exportRun({ directory, to, format: "parquet", shardBytes });
    const names = readdirSync(join(to, "data"));
    expect(names).toEqual([0, 1, 2, 3].map((shard) => `train-0000${shard}-of-00004.parquet`));
    const rows = await Promise.all(names.map((name) => parquetObjects(join(to, "data"), name)));
    expect(rows.flat()).toHaveLength(6);
  });

  test("names the images that are gone before it writes anything, and how they come back", async () => {
    const directory = exportableRun([lineOfImages(0), lineOfImages(1), lineOfImages(2)]);
    const to = destination();
    for (const file of [fileOf(2, 0), fileOf(1, 1)]) rmSync(join(directory, file));
    const end = exportRun({ directory, to, format: "jsonl" });
    await expect(end).rejects.toThrow(ExportStopped);
    await expect(end).rejects.toThrow(
      `2 images are gone, the first ${fileOf(1, 1)}, from ${directory}: \`imagemill resume ${directory}\``,
    );
    expect(readdirSync(dirname(to))).toEqual([]);
  });

  test("names an image that is no longer whole", async () => {
    const [directory, to] = [exportableRun([lineOfImages(0)]), destination()];
    truncateSync(join(directory, fileOf(0, 1)), 999);
    await expect(exportRun({ directory, to, format: "parquet" })).rejects.toThrow(
      `${join(directory, fileOf(0, 1))} is damaged: expected 1000 bytes, got 999`,
    );
    expect(existsSync(to)).toBe(false);
  });
});

describe("a destination", () => {
  test("is one that is empty or not there, and one process writes to it at a time", async () => {
    const directory = exportableRun([promptLine(0, [0, 1])]);
    const folder = temporaryFolder();
    mkdirSync(join(folder, "empty"));
    mkdirSync(join(folder, "full", "images"), { recursive: true });
    mkdirSync(join(folder, "other.partial", "theirs"), { recursive: true });
    writeFileSync(join(folder, "file"), "");
    const to = (name: string) =>
      exportRun({ directory, to: join(folder, name), format: "imagefolder" });
    await expect(to("full")).rejects.toThrow(/full is not empty: give a folder/);
    await expect(to("file")).rejects.toThrow(/file is a file or in one: give a folder/);
    await expect(to("other")).rejects.toThrow(/other\.partial .* holds something else/);
    await expect(
      exportRun({ directory, to: join(directory, "images", "x"), format: "jsonl" }),
    ).rejects.toThrow(/lies in the run directory/);
    symlinkSync(directory, join(folder, "link"));
    symlinkSync("nowhere", join(folder, "dangling"));
    await expect(to("link/x")).rejects.toThrow(/lies in the run directory/);
    await expect(to("dangling")).rejects.toThrow(/is a link to nowhere, which is not there/);
    const both = await Promise.allSettled([to("empty"), to("empty")]);
    const refused = both.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    expect(refused).toEqual([expect.any(UsageError)]);
    expect(String(refused[0])).toMatch(/empty\.partial is in use by process \d+/);
    expect(readdirSync(join(folder, "empty"))).toContain("metadata.parquet");
    expect(readdirSync(folder).toSorted()).toEqual([
      "dangling",
      "empty",
      "file",
      "full",
      "link",
      "other.partial",
    ]);
  });

  test.each(["is", "is a link to"])(
    "beside which what would be its partial one %s a run is refused",
    async (how) => {
      const [directory, kept] = [
        exportableRun([lineOfImages(0)]),
        exportableRun([lineOfImages(0)]),
      ];
      const folder = temporaryFolder();
      const partial = join(folder, "to.partial");
      const files = () => readdirSync(partial, { recursive: true }).map(String).toSorted();
      if (how === "is") renameSync(kept, partial);
      else symlinkSync(kept, partial);
      const before = files();
      const end = exportRun({ directory, to: join(folder, "to"), format: "jsonl" });
      await expect(end).rejects.toThrow(/to\.partial .* holds something else: move it/);
      expect(files()).toEqual(before);
    },
  );

  test("is not made for a run without an image", async () => {
    const [directory, to] = [exportableRun([promptLine(0, []), rejectedLine(1)]), destination()];
    const end = exportRun({ directory, to, format: "webdataset" });
    await expect(end).rejects.toThrow(UsageError);
    await expect(end).rejects.toThrow("run abcdefghijk2 has no image yet to export");
    expect(readdirSync(dirname(to))).toEqual([]);
  });
});

test("a run that goes on is exported as far as it is settled, without the line that is being written", async () => {
  const directory = exportableRun([lineOfImages(1), lineOfImages(0)]);
  appendFileSync(
    join(directory, ".imagemill", "journal.jsonl"),
    JSON.stringify(lineOfImages(2)).slice(0, 500),
  );
  const to = destination();
  const summary = await exportRun({ directory, to, format: "jsonl" });
  expect(summary).toMatchObject({ state: "unfinished", images: 4, prompts: 2 });
  expect(jsonLines(to, "images.jsonl").map(({ index }) => index)).toEqual([0, 0, 1, 1]);
});
