import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { createHttpClient } from "../../../worker/providers/http.ts";

test("a client whose proxy is no URL fails its requests, and nothing but them", async () => {
  const http = createHttpClient({ timeoutMs: 1_000, proxy: { httpsProxy: "proxy.test" } });
  await expect(http.send("https://images.test/", { maxBytes: 10 })).rejects.toThrow("Invalid URL");
  // An error that nobody takes ends the process in the next turn of its event loop.
  await setImmediate();
  await expect(http.close()).resolves.toBeUndefined();
});
