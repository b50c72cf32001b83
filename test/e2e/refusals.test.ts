import { expect, test } from "vitest";
import { openStage, promptRows } from "../helpers/stage.ts";
import { sendJson, startProvider } from "../worker/providers/provider-server.ts";

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

test("a 404 for every prompt, as by a wrong path in the base URL, stops a run of a few prompts, too", async () => {
  await using stage = await openStage();
  const provider = await startProvider((_, response) =>
    sendJson(response, { error: { message: "no such page" } }, 404),
  );
  stage.env["OPENAI_BASE_URL"] = provider.url;
  const end = await stage.run(stage.dataset(promptRows(3)), "-m", "gpt-image-2");
  expect(end.code).toBe(4);
  expect(end.summary).toMatchObject({ state: "stopped", calls: 3, prompts: { failed: 3 } });
  expect(end.summary.reason).toMatch(
    /^the 3 prompts were all refused alike \(invalid_request 404\).*no such page.*base URL/,
  );
});
