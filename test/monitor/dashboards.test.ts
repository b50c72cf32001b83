import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { WorkerMetrics } from "../../worker/metrics.ts";
import { parseMetrics } from "../helpers/parse-metrics.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";

let server: TestRedis;
let known: Set<string>;

beforeAll(async () => {
  server = await startTestRedis();
  await using watched = await openWatchedMill(server, { prompts: 1 });
  await watched.mill.open();
  const texts = [
    await (await fetch(`${watched.monitor.url}/metrics`)).text(),
    await new WorkerMetrics(() => 0).registry.metrics(),
  ];
  known = new Set(
    texts
      .flatMap((text) => [...parseMetrics(text).values()])
      .flatMap(({ name, type }) =>
        type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
  );
});
afterAll(() => server.close());

function read(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)), "utf8");
}

/** The metrics that a text names. */
function named(text: string): string[] {
  return text.match(/\bimagemill_[a-z_]+\b/g) ?? [];
}

const Dashboard = z.object({
  panels: z.array(
    z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) }),
  ),
});

describe("what is in docs", () => {
  test("the dashboard's queries name only metrics that exist", () => {
    const { panels } = Dashboard.parse(JSON.parse(read("monitoring/grafana-dashboard.json")));
    expect(panels.length).toBeGreaterThan(8);
    for (const { title, targets } of panels)
      for (const { expr } of targets) {
        expect([title, named(expr).length]).not.toEqual([title, 0]);
        for (const name of named(expr))
          expect([title, name, known.has(name)]).toEqual([title, name, true]);
      }
  });

  test.each(["monitoring/alerts.yaml", "monitoring/keda.yaml"])(
    "%s names only metrics that exist",
    (name) => {
      const names = named(read(name));
      expect(names.length).toBeGreaterThan(1);
      for (const metric of names) expect([metric, known.has(metric)]).toEqual([metric, true]);
    },
  );

  test("monitoring.md names every metric that there is, and no other", () => {
    const table = read("monitoring.md")
      .split("\n")
      .filter((line) => /^\| (workers|the monitor)/.test(line));
    const told = (table.join(" ").match(/`[a-z_]+/g) ?? []).map(
      (name) => `imagemill_${name.slice(1)}`,
    );
    const families = [...known].filter((name) => name.startsWith("imagemill_"));
    const bases = new Set(families.map((name) => name.replace(/_(bucket|sum|count)$/, "")));
    expect(new Set(told)).toEqual(bases);
  });
});
