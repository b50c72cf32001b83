import { readdirSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { freePort } from "../../testing/free-port.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openStage, promptRows } from "../helpers/stage.ts";
import {
  png,
  sendBytes,
  sendJson,
  startProvider,
  type Received,
} from "../worker/providers/provider-server.ts";

const secrets = {
  key: "canary/key+8f31c2",
  user: "canary-user-77b1",
  password: "canary-password-90aa",
  token: "canary-token-4e5d",
};
/** Every form in which one of the secrets might be found. */
const traces = [
  ...Object.values(secrets).flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret)
      .slice(1, -1)
      .replaceAll("/", String.raw`\/`),
    Buffer.from(secret).toString("base64"),
  ]),
  Buffer.from(`${secrets.user}:${secrets.password}`).toString("base64"),
];

function tracesIn(text: string): string[] {
  return traces.filter((trace) => text.includes(trace));
}

/** All that a request held, as an indiscreet server tells it. */
function echo({ url, headers }: Received): string {
  return `you sent ${JSON.stringify(headers)} to ${url}, with ${Object.values(secrets).join(" and ")}`;
}

/** A server that tells what it was sent wherever it can, in images and in all its ways to fail. */
async function indiscreetProvider() {
  const seen = new Set<string>();
  let isClosed = false;
  const answers: ((request: Received, response: ServerResponse) => void)[] = [
    (request, response) => {
      const image = { b64_json: png.toString("base64"), revised_prompt: echo(request) };
      sendJson(response, { data: [image] }, 200, { "x-request-id": secrets.key });
    },
    (request, response) =>
      sendJson(response, { error: { message: echo(request), code: secrets.key } }, 400),
    (request, response) =>
      sendBytes(response, Buffer.from(`<html>${echo(request)}`), "text/html", 500),
    (request, response) =>
      sendJson(response, { error: { message: `${echo(request)}. Try again in 10ms` } }, 429, {
        "x-request-id": secrets.token,
      }),
    (request, response) => sendJson(response, { data: [], said: echo(request) }),
    (_, response) => sendJson(response, { data: [{ url: `/gone?token=${secrets.token}` }] }),
    (_, response) => void response.socket?.destroy(),
  ];
  const server = await startProvider((request, response) => {
    if (!request.url.startsWith("/v1/images/generations"))
      return void response.writeHead(404).end();
    const { prompt } = request.body;
    const index = Number(/\d+/.exec(String(prompt))?.[0]);
    if (isClosed) return sendJson(response, { error: { message: `wrong: ${echo(request)}` } }, 401);
    // What can be mended is, at the second try.
    const isFirst = !seen.has(String(prompt));
    seen.add(String(prompt));
    return answers[isFirst ? index % answers.length : 0]!(request, response);
  });
  return { ...server, close: () => (isClosed = true) };
}

/** Everything that clients have told a Redis, and everything that it holds. */
async function watchRedis(url: string) {
  const told: string[] = [];
  const path = url.replace("redis+unix://", "").replace(/\?.*/, "");
  const client = new Redis(path);
  const monitor = await client.duplicate().monitor();
  monitor.on("monitor", (_time: string, words: string[]) => told.push(words.join(" ")));
  return {
    told,
    dump: async () => {
      const keys = await client.keys("*");
      const values = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
      return keys.join(" ") + values.map((value) => value?.toString("latin1")).join(" ");
    },
    [Symbol.dispose]: () => {
      monitor.disconnect();
      client.disconnect();
    },
  };
}

function filesOf(folder: string): string {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((file) => readFileSync(join(file.parentPath, file.name), "latin1")).join("\n");
}

test("a key, and a password or token in the base URL, are found nowhere but at the provider", async () => {
  await using redis = await startTestRedis();
  await using stage = await openStage();
  using watched = await watchRedis(redis.url);
  const provider = await indiscreetProvider();
  const metrics = `127.0.0.1:${await freePort()}`;
  const at = provider.url.replace("//", `//${secrets.user}:${secrets.password}@`);
  Object.assign(stage.env, {
    REDIS_URL: redis.url,
    OPENAI_API_KEY: secrets.key,
    OPENAI_BASE_URL: `${at}/v1?token=${secrets.token}`,
    IMAGEMILL_LOG_LEVEL: "trace",
  });
  const worker = stage.startCli("work", "--concurrency", "3", "--listen", metrics);
  const options = ["--provider", "openai", "--model", "my-model", "--json", "--attempts", "3"];
  const dataset = stage.dataset(promptRows(21));
  const first = await stage.cli("enqueue", dataset, "--out", stage.out, ...options);
  expect(first).toMatchObject({ code: 3 });
  expect(first.summary.prompts).toMatchObject({ total: 21, succeeded: 18, failed: 3 });

  provider.close();
  const longer = stage.dataset(promptRows(24));
  const second = await stage.cli("enqueue", longer, "--out", stage.out, ...options);
  expect(second).toMatchObject({ code: 4 });
  expect(second.summary.state).toBe("stopped");
  const page = await fetch(`http://${metrics}/metrics`).then((response) => response.text());
  const shown = await Promise.all([
    stage.cli("status", "--json"),
    stage.cli("failures", stage.out),
    stage.cli("doctor"),
  ]);
  const dump = await watched.dump();
  worker.kill("SIGTERM");
  const ended = await worker.ended;

  // The provider did get them, and the places that are searched are those that were written to.
  expect(tracesIn(JSON.stringify(provider.received)).length).toBeGreaterThan(3);
  expect(watched.told.join()).toContain("you sent");
  expect(filesOf(stage.out)).toContain("you sent");
  expect(ended.stderr).toContain("wrong: you sent");
  const places: Record<string, string> = {
    "commands to Redis": watched.told.join("\n"),
    "the Redis database": dump,
    "the run directory": filesOf(stage.out),
    "the worker's output": ended.stdout + ended.stderr,
    metrics: page,
  };
  for (const [i, { stdout, stderr }] of [first, second, ...shown].entries())
    places[`output of command ${i}`] = stdout + stderr;
  const found = Object.entries(places).map(([place, text]) => [place, tracesIn(text)] as const);
  expect(found.filter(([, inside]) => inside.length > 0)).toEqual([]);
});
