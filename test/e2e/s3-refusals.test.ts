import { describe, expect, test } from "vitest";
import { bucketName } from "../helpers/s3-server.ts";
import { asked, location, openS3Stage, prefix } from "../helpers/s3-stage.ts";

describe("a run is refused before anything is begun", () => {
  test.each([
    ["the bucket is not there", "s3://no-such-bucket/x", "there is no bucket no-such-bucket"],
    ["something else is there", `s3://${bucketName}/photos`, "is not empty and holds no run"],
    ["the location is malformed", "s3://Pictures/x", "expected a location like s3://bucket/folder"],
  ])("where %s", async (_, out, message) => {
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    server.bucket.set("photos/cat.jpg", Buffer.from("x"));
    const end = await stage.cli("run", ...asked(stage, 3), "--out", out);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain(message);
    expect([...server.bucket.keys()]).toEqual(["photos/cat.jpg"]);
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test("where there are no credentials", async () => {
    await using opened = await openS3Stage();
    const { stage } = opened;
    delete stage.env["AWS_ACCESS_KEY_ID"];
    const end = await stage.cli("run", ...asked(stage, 3), "--out", location);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain("no credentials were found: set AWS_ACCESS_KEY_ID");
  });

  test("where the copy that the producer works on cannot be written", async () => {
    await using opened = await openS3Stage();
    const { stage } = opened;
    stage.env["XDG_CACHE_HOME"] = stage.dataset([], "no-folder");
    const end = await stage.cli("run", ...asked(stage, 3), "--out", location);
    expect(end.code).toBe(2);
    expect(end.stderr).toMatch(
      /^imagemill: the copy of the run's state cannot be written here: ENOTDIR/m,
    );
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test("where the storage ignores conditions; doctor finds that, too, and what is well", async () => {
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    const doctor = () => stage.cli("doctor", "--out", location);
    expect((await doctor()).stdout).toContain(`${location}: can be written, read, listed`);
    server.knowsConditions = false;
    const end = await stage.cli("run", ...asked(stage, 3), "--out", location);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain("ignores If-None-Match");
    expect((await doctor()).stdout).toContain("the storage ignores If-None-Match");
    expect([...server.bucket.keys()]).toEqual([`${prefix}.imagemill/run.lock`]);
  });
});
