import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { fetchImage } from "../../../worker/providers/fetch-image.ts";
import { createHttpClient } from "../../../worker/providers/http.ts";
import { createModel } from "../../../worker/providers/index.ts";
import type { Resolve } from "../../../worker/providers/public-address.ts";
import { startConnectProxy } from "../../helpers/connect-proxy.ts";
import { openTrap, watchConnectionAttempts } from "../../helpers/connection-attempts.ts";
import {
  jpeg,
  png,
  rejection,
  sendBytes,
  sendJson,
  startProvider,
  type Received,
} from "./provider-server.ts";

interface Answers {
  [path: string]: (response: ServerResponse, request: Received) => void;
}

interface Asking {
  resolve?: Resolve;
  imageHosts?: string[];
  maxBytes?: number;
}

/** A provider known as `localhost`, so that 127.0.0.1 is another host than its own. */
async function hostileProvider(answers: Answers) {
  const server = await startProvider((request, response) => {
    const answer = answers[request.url];
    if (answer) answer(response, request);
    else response.writeHead(404).end();
  });
  const baseUrl = server.url.replace("127.0.0.1", "localhost");
  const ask = async (url: string, { resolve, imageHosts, maxBytes = 1_000_000 }: Asking = {}) => {
    const http = createHttpClient({ timeoutMs: 300, resolve });
    const signal = AbortSignal.timeout(20_000);
    try {
      return await fetchImage(url, { http, signal, maxBytes, baseUrl, imageHosts, secrets: {} });
    } finally {
      await http.close();
    }
  };
  return { ...server, baseUrl, ask };
}

const redirect = (location: string) => (response: ServerResponse) =>
  void response.writeHead(302, { location }).end();

const toLoopback: Resolve = (_host, _options, done) =>
  done(null, [{ address: "127.0.0.1", family: 4 }]);

test("no redirect leads to a forbidden address: no connection to one is ever begun", async () => {
  await using trap = await openTrap();
  const targets: [string, string][] = [
    [`https://127.0.0.1:${trap.port}/`, "127.0.0.1 is a loopback address"],
    ["https://169.254.169.254/latest", "169.254.169.254 is a link-local or metadata address"],
    ["https://[::ffff:10.0.0.1]/x.png", "::ffff:a00:1 is a private address"],
    ["https://[::1]/x.png", "::1 is a loopback address"],
    ["https://2130706433/", "127.0.0.1 is a loopback address"],
    ["https://trap.test/", "trap.test (127.0.0.1) is a loopback address"],
    [`http://127.0.0.1:${trap.port}/`, "http on another host than the provider's"],
    ["file:///etc/passwd", "the scheme file:"],
    ["//169.254.169.254/latest", "http on another host"],
  ];
  for (const [target, reason] of targets) {
    const server = await hostileProvider({ "/image": redirect(target) });
    using attempts = watchConnectionAttempts();
    expect(await rejection(server.ask("/image", { resolve: toLoopback }))).toMatchObject({
      name: "ProviderError",
      kind: "bad_response",
      message: expect.stringContaining(reason),
    });
    expect(server.received).toHaveLength(1);
    const own = ["127.0.0.1", "::1"];
    expect(attempts.addresses.filter((address) => !own.includes(address))).toEqual([]);
  }
  expect(trap.connections).toBe(0);
});

test("a name that turns private at its second look-up is refused before a connection", async () => {
  await using trap = await openTrap();
  const server = await hostileProvider({});
  let lookups = 0;
  // The first address is one of those for documentation: nobody answers there.
  const resolve: Resolve = (_host, _options, done) =>
    done(null, [{ address: ++lookups === 1 ? "203.0.113.7" : "127.0.0.1", family: 4 }]);
  using attempts = watchConnectionAttempts();
  const url = `https://rebind.test:${trap.port}/x.png`;
  expect(await rejection(server.ask(url, { resolve }))).toMatchObject({
    kind: "bad_response",
    message: "rebind.test (127.0.0.1) is a loopback address",
  });
  expect(lookups).toBe(2);
  expect(attempts.addresses).toEqual(["203.0.113.7"]);
  expect(trap.connections).toBe(0);
});

test("at most 3 redirects are followed", async () => {
  const server = await hostileProvider({
    "/3": redirect("/2"),
    "/2": redirect("/1"),
    "/1": redirect("/0"),
    "/0": (response) => sendBytes(response, png, "image/png"),
    "/4": redirect("/3"),
  });
  expect(png.equals(await server.ask("/3"))).toBe(true);
  expect(await rejection(server.ask("/4"))).toMatchObject({
    kind: "bad_response",
    message: "its URL redirects more than 3 times",
  });
});

test("a host of the profile's list may be private and speak plain http", async () => {
  const images = await hostileProvider({
    "/x.png": (response) => sendBytes(response, png, "image/png"),
  });
  const server = await hostileProvider({ "/image": redirect(`${images.url}/x.png`) });
  expect(png.equals(await server.ask("/image", { imageHosts: ["127.0.0.1"] }))).toBe(true);
  const { host } = new URL(images.url);
  expect(png.equals(await server.ask("/image", { imageHosts: [host] }))).toBe(true);
  for (const imageHosts of [[], ["127.0.0.1:1"], ["0.0.1"]])
    expect(await rejection(server.ask("/image", { imageHosts }))).toMatchObject({
      kind: "bad_response",
    });
  expect(images.received).toHaveLength(2);
});

test("through a proxy a literal address is refused, and names are the proxy's own affair", async () => {
  await using proxy = await startConnectProxy(1);
  const http = createHttpClient({ timeoutMs: 2_000, proxy: { httpsProxy: proxy.url } });
  const signal = AbortSignal.timeout(20_000);
  const options = { http, signal, maxBytes: 1_000_000, baseUrl: "http://host.test", secrets: {} };
  const literal = await rejection(fetchImage("https://10.0.0.1/x.png", options));
  expect(literal).toMatchObject({ kind: "bad_response" });
  expect(proxy.tunnels).toEqual([]);
  await rejection(fetchImage("https://images.test/x.png", options));
  expect(proxy.tunnels[0]).toBe("images.test:443");
  await http.close();
});

test("a password in a URL is not sent", async () => {
  const server = await hostileProvider({
    "/x.png": (response) => sendBytes(response, png, "image/png"),
  });
  await server.ask(server.baseUrl.replace("//", "//user:secret@").concat("/x.png"));
  expect(server.received[0]!.headers.authorization).toBeUndefined();
});

/** The first bytes of a PNG that says it is so large. */
function pngHeader(width: number, height: number): Buffer {
  const head = Buffer.from(png.subarray(0, 33));
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return head;
}

/** Sends `head` and then more and more, until the client goes; resolves with how many bytes were sent. */
function sendWithoutEnd(response: ServerResponse, head: Buffer): Promise<number> {
  response.writeHead(200, { "content-type": "image/png" });
  return new Promise((resolve) => {
    const more = Buffer.alloc(65_536);
    const write = (bytes: Buffer): void => void response.write(bytes, () => write(more));
    response.on("close", () => resolve(response.socket?.bytesWritten ?? 0));
    write(head);
  });
}

test.each([
  [
    "a PNG of 30,000 x 30,000 pixels",
    pngHeader(30_000, 30_000),
    "is 30000x30000 pixels large, more than the limit of 100000000 pixels",
  ],
  [
    "a page of HTML",
    Buffer.from("<!doctype html><title>Sign in</title>"),
    "is not a PNG, JPEG, WebP or GIF image but an HTML page",
  ],
  ["JSON", Buffer.from('{"error":"gone"}'), "is not a PNG, JPEG, WebP or GIF image but JSON"],
  [
    "an SVG",
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "is not a PNG, JPEG, WebP or GIF image but an SVG drawing",
  ],
])("the connection is cut at the first bytes of %s, not at the end", async (_, head, reason) => {
  let sent: Promise<number> | undefined;
  const server = await hostileProvider({
    "/image": (response) => void (sent = sendWithoutEnd(response, head)),
  });
  const failure = await rejection(server.ask("/image", { maxBytes: 1_000_000_000 }));
  expect(failure).toMatchObject({ name: "ImageCheckError", message: reason });
  // What the sockets' buffers take, and no more.
  expect(await sent).toBeLessThan(32_000_000);
});

test("an answer that announces more than the limit is cut off before its body", async () => {
  const server = await hostileProvider({
    "/image": (response) => {
      response.writeHead(200, { "content-type": "image/png", "content-length": 1_000_000_000 });
      response.flushHeaders();
    },
  });
  expect(await rejection(server.ask("/image"))).toMatchObject({
    kind: "bad_response",
    message: "the answer is larger than 1000000 bytes",
  });
});

test("a body that unpacks to more than the limit is refused", async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  expect(bomb.length).toBeLessThan(100_000);
  const server = await hostileProvider({
    "/image": (response) => {
      response.writeHead(200, { "content-type": "image/png", "content-encoding": "gzip" });
      response.end(bomb);
    },
    "/packed": (response) => {
      response.writeHead(200, { "content-type": "image/jpeg", "content-encoding": "gzip" });
      response.end(gzipSync(jpeg));
    },
  });
  expect(await rejection(server.ask("/image"))).toMatchObject({
    kind: "bad_response",
    code: "ERR_BUFFER_TOO_LARGE",
  });
  expect(jpeg.equals(await server.ask("/packed"))).toBe(true);
});

test("an error of any length is read only so far, and is still that error", async () => {
  const server = await hostileProvider({
    "/image": (response) => {
      response.writeHead(404, { "content-type": "text/plain" });
      const write = (): void => void response.write(Buffer.alloc(65_536), write);
      write();
    },
  });
  expect(await rejection(server.ask("/image"))).toMatchObject({
    kind: "bad_response",
    status: 404,
  });
});

test("images of a model come from its list of hosts, too", async () => {
  const images = await startProvider((_, response) => sendBytes(response, png, "image/png"));
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ url: `${images.url.replace("127.0.0.1", "localhost")}/x` }] }),
  );
  const options = { timeoutMs: 5_000 };
  const call = { numGenerations: 1, parameters: {} };
  const profile = { name: "openai", kind: "openai", baseUrl: server.url, keyVariable: "" } as const;
  const imageHosts = ["localhost"];
  await using listed = await createModel({ ...profile, imageHosts }, "dall-e-3", options);
  await using plain = await createModel(profile, "dall-e-3", options);
  expect((await listed.agenerate("a cat", call)).images).toHaveLength(1);
  expect(await rejection(plain.agenerate("a cat", call))).toMatchObject({ kind: "bad_response" });
  expect(images.received).toHaveLength(1);
});
