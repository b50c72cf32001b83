import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Access } from "../../monitor/access.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openStage } from "../helpers/stage.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const nobody = { host: undefined, origin: undefined, cookie: undefined, authorization: undefined };

/** The status of a request that claims to be for another name. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}

describe("the monitor's door", () => {
  test("is shut to another site whose name means this address", async () => {
    await using watched = await openWatchedMill(server, { prompts: 1 });
    expect(await statusFor(watched.monitor.url, "evil.example:80")).toBe(421);
    expect(await statusFor(watched.monitor.url, "localhost:1")).toBe(200);
  });

  test("asks for the token where other machines can reach it, but not for probes", () => {
    const access = new Access({ host: "0.0.0.0", token: "a good secret" });
    const host = "mill.internal:8790";
    expect(access.isAddressed({ ...nobody, host })).toBe(true);
    expect(access.mayLook({ ...nobody, host })).toBe(false);
    expect(access.mayLook({ ...nobody, host, authorization: "Bearer a good secret" })).toBe(true);
    const cookie = `other=1; ${access.signInCookie().split(";")[0]}`;
    expect(access.mayLook({ ...nobody, host, cookie })).toBe(true);
    expect(access.mayLook({ ...nobody, host, cookie: `${cookie}x` })).toBe(false);
  });

  test("takes no form that is larger than forms are", async () => {
    await using watched = await openWatchedMill(server, { prompts: 1 });
    const body = "x".repeat(100_000);
    const response = await fetch(`${watched.monitor.url}/sign-in`, { method: "POST", body });
    expect(response.status).toBe(413);
  });

  test("tells of a form that cannot be read", async () => {
    await using watched = await openWatchedMill(server, { prompts: 1 });
    for (const path of ["/sign-in", "/lanes/pause"]) {
      const response = await fetch(watched.monitor.url + path, {
        method: "POST",
        headers: { "content-type": "multipart/form-data; boundary=b" },
        body: "--other\r\nbroken",
      });
      expect(response.status).toBe(400);
      expect(await response.text()).toContain("The form cannot be read");
    }
  });

  test("says what is missing where it would be open to other machines", async () => {
    await using stage = await openStage();
    const end = await stage.cli("monitor", "--listen", "0.0.0.0:0");
    expect(end).toMatchObject({ code: 2, stderr: expect.stringContaining("IMAGEMILL_TOKEN") });
    const wrong = await stage.cli("monitor", stage.folder);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("run directory") });
  });

  test("sends pages that load and run only what is the monitor's own", async () => {
    await using watched = await openWatchedMill(server, { prompts: 1 });
    const response = await fetch(watched.monitor.url);
    const policy = response.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain("unsafe");
    expect(await response.text()).not.toMatch(/<script(?! src)|style="|onclick/);
  });
});
