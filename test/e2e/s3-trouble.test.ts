import { describe, expect, test } from "vitest";
import { S3Refusal } from "../helpers/s3-objects.ts";
import { asked, location, openS3Stage, run, settledIn } from "../helpers/s3-stage.ts";
import { until } from "../helpers/until.ts";

describe("a run in a bucket", () => {
  test("waits while the storage asks to slow down, buys nothing twice, and goes on by itself", async () => {
    await using opened = await openS3Stage({ latencyMs: 50 });
    const { stage, server } = opened;
    const life = run(stage, asked(stage, 40));
    await until(() => expect(settledIn(server)).toBeGreaterThan(10));
    server.trouble = () => new S3Refusal(503, "SlowDown", "Please reduce your request rate.");
    await until(() => expect(life.stderr).toContain("storage is in trouble"));
    const before = settledIn(server);
    await until(() => expect(stage.simulator.ledger.inFlight).toBe(0));
    expect(settledIn(server)).toBe(before);
    expect(life.stderr).toContain("HTTP 503 SlowDown: Please reduce your request rate.");
    server.trouble = () => undefined;
    const end = await life.ended;
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ images: 80, calls: 80, retries: 0 });
    expect(stage.simulator.ledger.calls).toBe(80);
  });

  test("stops with what to do where the storage stays away, and the same command goes on", async () => {
    await using opened = await openS3Stage({ latencyMs: 50 });
    const { stage, server } = opened;
    const args = [
      ...asked(stage, 40),
      "-c",
      "4",
      "--out",
      location,
      "--give-up-after",
      "2s",
      "--timeout",
      "3s",
    ];
    const life = stage.startCli("run", ...args);
    await until(() => expect(settledIn(server)).toBeGreaterThan(5));
    server.trouble = () => new S3Refusal(403, "AccessDenied");
    const stopped = await life.ended;
    expect(stopped.code).toBe(4);
    expect(stopped.summary.reason).toContain("access was denied");
    server.trouble = () => undefined;
    const end = await stage.cli("run", ...args);
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 80 });
    expect(stage.simulator.ledger.calls).toBeLessThanOrEqual(80 + 4);
  });
});
