import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { createServer as createTlsServer } from "node:tls";

/** The authority of the certificate of `provider.test`, for `NODE_EXTRA_CA_CERTS`. */
export const testAuthority = fixture("ca.pem");

/** A proxy that asks for a password, and behind it one provider over TLS. */
export interface ConnectProxy extends AsyncDisposable {
  /** With user and password. */
  readonly url: string;
  /** Host and port of every tunnel that was opened. */
  readonly tunnels: readonly string[];
}

/**
 * Starts a proxy whose tunnels all lead to one place, whatever their name: a TLS server known as `provider.test`, which hands
 * what it reads to `providerPort`.
 */
export async function startConnectProxy(providerPort: number): Promise<ConnectProxy> {
  const tls = createTlsServer(
    { key: readFileSync(fixture("server-key.pem")), cert: readFileSync(fixture("server.pem")) },
    (socket) => join(socket, connect(providerPort, "127.0.0.1")),
  );
  const tlsPort = await listen(tls);
  const tunnels: string[] = [];
  const expected = `Basic ${Buffer.from("user:secret").toString("base64")}`;
  const sockets = new Set<Duplex>();
  const proxy = createServer();
  proxy.on("connect", (request: IncomingMessage, socket: Duplex) => {
    sockets.add(socket);
    if (request.headers["proxy-authorization"] !== expected)
      return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    tunnels.push(request.url ?? "");
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    return join(socket, connect(tlsPort, "127.0.0.1"));
  });
  const port = await listen(proxy);
  return {
    url: `http://user:secret@127.0.0.1:${port}`,
    tunnels,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all([tls, proxy].map((server) => new Promise((end) => server.close(end))));
    },
  };
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is an AddressInfo
  return (server.address() as AddressInfo).port;
}

function join(one: Duplex, other: Socket): void {
  one.pipe(other).pipe(one);
  for (const [end, opposite] of [
    [one, other],
    [other, one],
  ] as const) {
    end.on("error", () => opposite.destroy());
    end.on("close", () => opposite.destroy());
  }
}
