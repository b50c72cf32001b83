import { existsSync, readdirSync, truncateSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { BucketSource } from "../../../monitor/bucket-source.ts";
import { KnownRun } from "../../../monitor/known-run.ts";
import { ExportFormat, exportRun } from "../../../producer/export/export-run.ts";
import { ExportStopped } from "../../../producer/export/export-stopped.ts";
import { UsageError } from "../../../shared/usage-error.ts";
import { filesBelow, sha256Of } from "../../helpers/run-files.ts";
import { S3Refusal } from "../../helpers/s3-objects.ts";
import { s3Options, type S3Server } from "../../helpers/s3-server.ts";
import { openTestServer, openTestStore, testLocation } from "../../helpers/s3-stores.ts";
import { storeRun } from "../../helpers/stored-run.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";
import { fileOf } from "../outputs/small-run.ts";
import { exportableRun, lineOfImages } from "./exportable-run.ts";

const lines = [3, 0, 2, 1, 4].map((index) => lineOfImages(index));
const destination = () => join(temporaryFolder(), "deep", "to");
const prefix = "runs/first/";

function exportFrom(server: S3Server, to: string, format: ExportFormat = "jsonl") {
  const s3 = s3Options(server);
  return exportRun({ directory: testLocation, s3, to, format, shardBytes: 5_000 });
}

const contents = (folder: string) =>
  filesBelow(folder).map((name) => [name, sha256Of(join(folder, name))]);

describe("a run in a bucket", () => {
  test.each(ExportFormat.options)(
    "is exported to the same files as one in a folder: %s",
    async (format) => {
      const server = await openTestServer();
      const directory = exportableRun(lines);
      storeRun(server, directory);
      const [local, fetched] = [destination(), destination()];
      await exportRun({ directory, to: local, format, shardBytes: 5_000 });
      const summary = await exportFrom(server, fetched, format);
      expect(summary).toMatchObject({ state: "unfinished", images: 10, prompts: 5, to: fetched });
      expect(contents(fetched)).toEqual(contents(local));
      expect(server.requests.filter((request) => !request.startsWith("GET"))).toEqual([]);
    },
  );

  test("goes on with the images that it has, after the storage was away", async () => {
    const server = await openTestServer();
    storeRun(server, exportableRun(lines));
    const to = destination();
    server.trouble = ({ key }) =>
      key.endsWith(fileOf(3, 1)) ? new S3Refusal(403, "AccessDenied") : undefined;
    const stopped = exportFrom(server, to);
    await expect(stopped).rejects.toThrow(ExportStopped);
    await expect(stopped).rejects.toThrow(/access was denied.*the same command goes on/);
    expect(existsSync(to)).toBe(false);
    const kept = filesBelow(`${to}.partial`).filter((name) => name.endsWith(".png"));
    expect(kept.length).toBeGreaterThan(0);
    truncateSync(join(`${to}.partial`, kept[0]!), 10);
    server.trouble = () => undefined;
    server.requests.length = 0;
    await exportFrom(server, to);
    const fetched = server.requests.filter((request) => request.endsWith(".png"));
    expect(fetched).toHaveLength(10 - kept.length + 1);
    expect(readdirSync(dirname(to))).toEqual(["to"]);
    expect(filesBelow(join(to, "images"))).toHaveLength(10);
  });

  test("is not exported while an image is gone or damaged, which is told", async () => {
    const server = await openTestServer();
    storeRun(server, exportableRun(lines));
    const key = prefix + fileOf(2, 0);
    server.bucket.set(key, Buffer.from("half"));
    for (const format of ["jsonl", "parquet"] as const)
      await expect(exportFrom(server, destination(), format)).rejects.toThrow(
        `${testLocation}/${fileOf(2, 0)} is damaged: expected 1000 bytes, got 4`,
      );
    server.bucket.delete(key);
    await expect(exportFrom(server, destination())).rejects.toThrow(
      `${fileOf(2, 0)} is gone from ${testLocation}: \`imagemill resume ${testLocation}\``,
    );
  });

  test("has a damaged journal told by its part there, and so does the monitor", async () => {
    const server = await openTestServer();
    storeRun(server, exportableRun(lines));
    const part = ".imagemill/journal/00000002.jsonl";
    const [first] = server.bucket
      .get(prefix + part)!
      .toString()
      .split("\n");
    server.bucket.set(prefix + part, Buffer.from(`${first}\noops\n`));
    const told = `${testLocation}/${part} is damaged: line 2 is not a journal line`;
    await expect(exportFrom(server, destination())).rejects.toThrow(told);
    const source = new BucketSource(openTestStore(server), join(temporaryFolder(), "copy"));
    const known = new KnownRun(source, (await source.readRun())!);
    await known.look();
    expect(known.trouble?.message).toContain(told);
  });

  test("that is not there, and a destination in a bucket, are mistakes of usage", async () => {
    const server = await openTestServer();
    const to = destination();
    await expect(exportFrom(server, to)).rejects.toThrow(`there is no run at ${testLocation}`);
    const toBucket = exportFrom(server, "s3://pictures/export");
    await expect(toBucket).rejects.toThrow(UsageError);
    await expect(toBucket).rejects.toThrow(/made in a folder, not at s3:\/\/pictures\/export/);
    const directory = testLocation;
    await expect(exportRun({ directory, to, format: "jsonl" })).rejects.toThrow("give `s3`");
    expect(existsSync(dirname(to))).toBe(false);
  });
});
