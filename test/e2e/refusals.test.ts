import { expect, test } from "vitest";
import { openStage, promptRows } from "../helpers/stage.ts";
import { png, sendJson, startProvider } from "../worker/providers/provider-server.ts";

test("control characters of a provider's message steer no terminal: they are shown", async () => {
  await using stage = await openStage();
  const message = "\u001b[2J\u001b]0;pwn\u0007 bad \u202e";
  const provider = await startProvider((_, response) =>
    sendJson(response, { error: { message } }, 400),
  );
  stage.env["OPENAI_BASE_URL"] = provider.url;
  const dataset = stage.dataset(promptRows(20));
  const ends = [
    await stage.cli("run", dataset, "-m", "gpt-image-2", "--out", stage.out),
    await stage.cli("failures", stage.out),
    await stage.cli("status", stage.out),
  ];
  for (const { stdout, stderr } of ends) {
    expect(stdout).toContain("\\u001b[2J\\u001b]0;pwn\\u0007 bad \\u202e");
    for (const character of "\u0007\u001b\u202e") expect(stdout + stderr).not.toContain(character);
  }
  expect(ends[0]!.code).toBe(4);
});

test("a 404 for every prompt, as by a wrong path in the base URL, stops a run of a few prompts, too; the same command tries again", async () => {
  await using stage = await openStage();
  let isThere = false;
  const provider = await startProvider((_, response) => {
    if (isThere) return sendJson(response, { data: [{ b64_json: png.toString("base64") }] });
    sendJson(response, { error: { message: "no such page" } }, 404);
  });
  stage.env["OPENAI_BASE_URL"] = provider.url;
  const dataset = stage.dataset(promptRows(3));
  const run = (...more: string[]) => stage.run(dataset, "-m", "gpt-image-2", ...more);
  for (const life of [1, 2]) {
    const end = await run();
    expect(end.code).toBe(4);
    const calls = 3 * life;
    expect(end.summary).toMatchObject({ state: "stopped", calls, prompts: { failed: 3 } });
    expect(end.summary.reason).toMatch(
      /^the 3 prompts were all refused alike \(invalid_request 404\).*no such page.*base URL/,
    );
  }
  expect(JSON.parse((await run("--dry-run")).stdout)).toMatchObject({ prompts: 3, settled: 0 });
  isThere = true;
  expect((await run()).summary).toMatchObject({ state: "completed", images: 3, calls: 9 });
  const again = await run();
  expect(again).toMatchObject({ code: 0 });
  expect(again.stderr).toContain("is complete, no call is made");
});

test("prompts whose first ones were all refused alike are all tried again by the same command", async () => {
  await using stage = await openStage();
  let takes = false;
  const provider = await startProvider((_, response) => {
    if (takes) return sendJson(response, { data: [{ b64_json: png.toString("base64") }] });
    sendJson(response, { error: { message: "no such size" } }, 400);
  });
  stage.env["OPENAI_BASE_URL"] = provider.url;
  const run = () => stage.run(stage.dataset(promptRows(25)), "-m", "gpt-image-2");
  const first = await run();
  expect(first).toMatchObject({ code: 4, summary: { state: "stopped", prompts: { failed: 20 } } });
  takes = true;
  expect(await run()).toMatchObject({ code: 0, summary: { images: 25, calls: 45 } });
});
