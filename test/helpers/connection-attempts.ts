import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer, type AddressInfo, type Socket } from "node:net";

/** Every connection that this process begins while it is watched. */
export interface ConnectionAttempts extends Disposable {
  /** The IP addresses, one entry per attempt. */
  readonly addresses: readonly string[];
}

/** Watches the sockets themselves: whatever opens one, and however it came by the address. */
export function watchConnectionAttempts(): ConnectionAttempts {
  const addresses: string[] = [];
  const watch = (message: unknown) => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what Node publishes on this channel
    const { socket } = message as { socket: Socket };
    socket.on("connectionAttempt", (address) => addresses.push(address));
  };
  subscribe("net.client.socket", watch);
  return {
    addresses,
    [Symbol.dispose]: () => {
      unsubscribe("net.client.socket", watch);
    },
  };
}

/** A listener on loopback that nobody should ever reach. */
export interface Trap extends AsyncDisposable {
  readonly port: number;
  /** Connections that reached it. */
  readonly connections: number;
}

/** Opens a trap on a free port. */
export async function openTrap(): Promise<Trap> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is an AddressInfo
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
