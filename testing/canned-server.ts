import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** A request as the server received it. */
export interface ReceivedRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** An answer that is given as it is. */
export interface CannedAnswer {
  status?: number;
  headers?: Record<string, string>;
  body: string | Uint8Array;
}

/**
 * What a request is answered with. `hang`: nothing, for ever; `reset`: the connection is reset; `cut`: the answer's headers
 * and the first half of its body, then the connection ends.
 */
export type Behaviour = CannedAnswer | "hang" | "reset" | { cut: CannedAnswer };

/** An HTTP server on this machine that answers as it is told. */
export interface CannedServer extends AsyncDisposable {
  readonly url: string;
  readonly received: ReceivedRequest[];
  /** Connections that were opened and have not ended. */
  openConnections(): number;
  /** Connections since the start. */
  connections(): number;
}

/** Starts a server on a free port. */
export async function startCannedServer(
  respond: (request: ReceivedRequest) => Behaviour,
): Promise<CannedServer> {
  const received: ReceivedRequest[] = [];
  let open = 0;
  let connections = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      const whole = { method, path, headers, body: Buffer.concat(chunks).toString("utf8") };
      received.push(whole);
      behave(respond(whole), response);
    });
  });
  server.on("connection", (socket) => {
    open += 1;
    connections += 1;
    socket.on("close", () => (open -= 1));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Expected a TCP address");
  return {
    url: `http://127.0.0.1:${address.port}`,
    received,
    openConnections: () => open,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function behave(behaviour: Behaviour, response: ServerResponse): void {
  if (behaviour === "hang") return;
  if (behaviour === "reset") {
    response.socket?.resetAndDestroy();
    return;
  }
  const isCut = "cut" in behaviour;
  const { status = 200, headers = {}, body } = isCut ? behaviour.cut : behaviour;
  const bytes = Buffer.from(body);
  response.writeHead(status, { "content-length": bytes.length, ...headers });
  if (!isCut) response.end(bytes);
  else
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () =>
      response.socket?.destroy(),
    );
}
