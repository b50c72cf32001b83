import { once } from "node:events";
import { createServer } from "node:http";
import { messageOf } from "./caught.ts";
import { endsWithin } from "./within.ts";

/** What the probes of a process are answered from. */
export interface ProbeSources {
  /** All metrics in Prometheus' text format. */
  metrics(): Promise<string>;
  /** Rejects, or does not end, where Redis cannot be reached. */
  pingRedis(): Promise<unknown>;
}

/** An answer to a probe, whatever serves it. */
export interface ProbeAnswer {
  status: number;
  contentType: string;
  body: string;
}

/** Paths that {@link answerProbe} knows. */
export const probePaths = ["/livez", "/readyz", "/metrics"] as const;

const pingLimitMs = 1_000;
const text = "text/plain; charset=utf-8";

/**
 * Answers a probe; undefined for any other path. `/livez` says only that the event loop turns: a supervisor must never
 * restart a worker in the middle of paid calls because Redis is away or its lane is paused. `/readyz` is 503 while Redis
 * cannot be reached.
 */
export async function answerProbe(
  path: string,
  sources: ProbeSources,
): Promise<ProbeAnswer | undefined> {
  switch (path) {
    case "/livez":
      return { status: 200, contentType: text, body: "ok\n" };
    case "/readyz": {
      const pong = sources.pingRedis().then(() => true);
      const isReady = (await endsWithin(pingLimitMs, pong)) && (await pong.catch(() => false));
      return isReady
        ? { status: 200, contentType: text, body: "ok\n" }
        : { status: 503, contentType: text, body: "Redis cannot be reached\n" };
    }
    case "/metrics":
      return {
        status: 200,
        contentType: "text/plain; version=0.0.4; charset=utf-8",
        body: await sources.metrics(),
      };
    default:
      return undefined;
  }
}

/** Where a server listens; port 0 takes a free one. */
export interface ListenAddress {
  host: string;
  port: number;
}

/** A server for probes alone. */
export interface ProbeServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:9464`. */
  readonly url: string;
}

/**
 * Serves `/livez`, `/readyz` and `/metrics` for a process that has no other web server.
 * @throws Error of the system where it cannot listen there, such as EADDRINUSE
 */
export async function startProbeServer(
  { host, port }: ListenAddress,
  sources: ProbeSources,
): Promise<ProbeServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0]!;
    void reply(path, sources).then(({ status, contentType, body }) =>
      response.writeHead(status, { "content-type": contentType }).end(body),
    );
  });
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a TCP address");
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Never rejects: an error is answered with 500. */
async function reply(path: string, sources: ProbeSources): Promise<ProbeAnswer> {
  try {
    const missing = { status: 404, contentType: text, body: `only ${probePaths.join(", ")}\n` };
    return (await answerProbe(path, sources)) ?? missing;
  } catch (error) {
    return { status: 500, contentType: text, body: `${messageOf(error)}\n` };
  }
}
