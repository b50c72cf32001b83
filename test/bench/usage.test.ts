import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startScript } from "../helpers/cli.ts";

const bench = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));

test.each([
  { args: ["nosuchrow"], words: "there is no row `nosuchrow`" },
  { args: ["--nosuch"], words: "Unknown option '--nosuch'" },
  { args: ["--rounds", "few"], words: "Expected a whole number from 1 up, got `few`" },
])("a bench that cannot be ($args) is told in words, with what can be given", async (wrong) => {
  await using run = startScript(bench, wrong.args, { cwd: process.cwd(), env: {} });
  const { code, stderr } = await run.ended;
  expect(code).toBe(2);
  expect(stderr).toContain(wrong.words);
  expect(stderr).toContain("--rounds N");
  expect(stderr).not.toContain("    at ");
});
