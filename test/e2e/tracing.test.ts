import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { z } from "zod";
import { startTestRedis } from "../helpers/redis.ts";
import { openStage, promptRows } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

/** What of OTLP's JSON the test looks at. */
const Traces = z.object({
  resourceSpans: z.array(
    z.object({
      scopeSpans: z.array(
        z.object({
          scope: z.object({ name: z.string() }),
          spans: z.array(
            z.object({
              name: z.string(),
              attributes: z.array(
                z.object({
                  key: z.string(),
                  value: z.looseObject({ stringValue: z.string().optional() }),
                }),
              ),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A collector of OpenTelemetry's traces. `spans` are those that it was sent: their names and text attributes. */
async function startCollector() {
  const spans: { scope: string; name: string; attributes: Record<string, string | undefined> }[] =
    [];
  const take = async (request: IncomingMessage) => {
    const { resourceSpans } = Traces.parse(JSON.parse(await text(request)));
    for (const { scope, spans: sent } of resourceSpans.flatMap((one) => one.scopeSpans)) {
      for (const { name, attributes } of sent) {
        const texts = attributes.map(({ key, value }) => [key, value.stringValue]);
        spans.push({ scope: scope.name, name, attributes: Object.fromEntries(texts) });
      }
    }
  };
  const server = createServer((request, response) => {
    take(request).then(
      () => response.writeHead(200, { "content-type": "application/json" }).end("{}"),
      (error: unknown) => response.writeHead(400).end(String(error)),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a TCP address");
  return {
    spans,
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("work --otel sends a span of every job to the collector that the SDK is told of, and without it none", async () => {
  await using server = await startTestRedis({ tcp: true });
  await using collector = await startCollector();
  await using stage = await openStage();
  Object.assign(stage.env, {
    REDIS_URL: server.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    NODE_OPTIONS: `--import ${new URL("../helpers/register-tracing.ts", import.meta.url).href}`,
  });
  const enqueue = async (prompts: number, out: string) => {
    const dataset = stage.dataset(promptRows(prompts), `${prompts}.jsonl`);
    const end = await stage.cli(
      "enqueue",
      dataset,
      "-m",
      "dall-e-3",
      "-n",
      "2",
      "--out",
      out,
      "--json",
    );
    expect(end.code).toBe(0);
    return end.summary.run;
  };
  const silent = stage.startCli("work");
  await enqueue(1, `${stage.folder}/silent`);
  silent.kill("SIGTERM");
  expect((await silent.ended).code).toBe(0);
  expect(collector.spans).toEqual([]);
  const traced = stage.startCli("work", "--otel");
  const run = await enqueue(2, stage.out);
  const jobs = () =>
    new Set(
      collector.spans
        .filter(({ scope, name }) => scope === "imagemill" && name.startsWith("process "))
        .map(({ attributes }) => attributes["bullmq.job.id"]),
    );
  // Each prompt is a job that makes two sub-jobs, and comes again to group them.
  const expected = [0, 1].flatMap((index) =>
    ["", "-0", "-1"].map((end) => `${run}-0-${index}${end}`),
  );
  await until(() => expect(jobs()).toEqual(new Set(expected)));
  expect(traced.stderr).not.toContain("traces nothing");
}, 180_000);

test("work --otel says so where no SDK is loaded", async () => {
  await using server = await startTestRedis({ tcp: true });
  await using stage = await openStage();
  stage.env["REDIS_URL"] = server.url;
  const worker = stage.startCli("work", "--otel");
  await until(() => expect(worker.stderr).toContain("--otel traces nothing"));
}, 120_000);
