import { connect } from "node:net";

/**
 * Sends one inline command to the Redis at a Unix socket and returns the answer as it came over the wire.
 * Rejects where nobody answers within `limitMs`. Lighter than a client, which would reconnect and load for longer.
 */
export function askRedis(socket: string, command: string, limitMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket);
    let answer = "";
    connection.setEncoding("utf8");
    connection.setTimeout(limitMs, () =>
      connection.destroy(new Error(`no answer at ${socket} within ${limitMs} ms`)),
    );
    connection.on("connect", () => connection.write(`${command}\r\n`));
    connection.on("data", (chunk: string) => {
      answer += chunk;
      if (isWhole(answer)) connection.end(() => resolve(answer));
    });
    connection.on("error", reject);
    connection.on("close", () =>
      reject(new Error(`the connection to ${socket} was closed without an answer`)),
    );
  });
}

/** A simple answer or a null (`$-1`) ends with its line, a bulk string (`$<bytes>`) after as many bytes. */
function isWhole(answer: string): boolean {
  const lineEnd = answer.indexOf("\r\n");
  if (lineEnd < 0) return false;
  if (!/^\$\d/.test(answer)) return true;
  return Buffer.byteLength(answer) >= lineEnd + Number(answer.slice(1, lineEnd)) + 4;
}

/** The process id of the Redis server at a Unix socket. */
export async function serverPid(socket: string): Promise<number> {
  const answer = await askRedis(socket, "INFO server", 5_000);
  const pid = /process_id:(\d+)/.exec(answer)?.[1];
  if (pid === undefined)
    throw new Error(`Expected process_id in the INFO of ${socket}, got ${answer.slice(0, 200)}`);
  return Number(pid);
}
