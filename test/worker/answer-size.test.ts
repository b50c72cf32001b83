import { execFile } from "node:child_process";
import type { ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";
import { png, sendJson, startProvider } from "./providers/provider-server.ts";

const child = fileURLToPath(new URL("../helpers/fetch-endless.ts", import.meta.url));
const Told = z.object({ failures: z.array(z.string()), grownBytes: z.number() });
const gigabyte = 1_000_000_000;

/** Runs calls in a process of their own and gives what it told. */
async function callFrom(url: string, calls: number): Promise<z.infer<typeof Told>> {
  const { stdout } = await promisify(execFile)(process.execPath, [child, url, String(calls)]);
  return Told.parse(JSON.parse(stdout));
}

/** Sends a gigabyte, without saying so before, unless the client goes; `start` comes first. */
function sendGigabyte(response: ServerResponse, start: Uint8Array, piece: Buffer): void {
  let left = gigabyte;
  const write = (bytes: Uint8Array): void => {
    left -= bytes.length;
    if (response.destroyed) return;
    if (left <= 0) response.end();
    else response.write(bytes, () => write(piece));
  };
  write(start);
}

test("a gigabyte at an image's URL is cut off at 64 MB: the memory of 2 calls stays within reach of that", async () => {
  const server = await startProvider(({ url }, response) => {
    if (url === "/images/generations") return sendJson(response, { data: [{ url: "/image" }] });
    return sendGigabyte(response, png, Buffer.alloc(1_000_000));
  });
  const { failures, grownBytes } = await callFrom(server.url, 2);
  const words = "ProviderError: image 1 of 1: the answer is larger than 67108864 bytes";
  expect(failures).toEqual([words, words]);
  expect(grownBytes).toBeLessThan(400_000_000);
});

test("a gigabyte in place of an answer is cut off as well", async () => {
  const server = await startProvider((_, response) =>
    sendGigabyte(response, Buffer.from('{"data":[{"b64_json":"'), Buffer.alloc(1_000_000, "A")),
  );
  const { failures, grownBytes } = await callFrom(server.url, 1);
  expect(failures).toEqual(["ProviderError: the answer is larger than 95000986 bytes"]);
  expect(grownBytes).toBeLessThan(400_000_000);
});

test("an answer in millions of tiny chunks takes little more than its bytes", async () => {
  const server = await startProvider((_, response) => {
    const tiny = Buffer.from("1\r\nA\r\n".repeat(100_000));
    const { socket } = response;
    socket?.write(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    let left = 40;
    const write = (): void =>
      void (left-- > 0 ? socket?.write(tiny, write) : socket?.end("0\r\n\r\n"));
    write();
  });
  const { failures, grownBytes } = await callFrom(server.url, 1);
  expect(failures[0]).toContain("not the JSON");
  expect(grownBytes).toBeLessThan(300_000_000);
});
