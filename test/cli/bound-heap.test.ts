import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startScript } from "../helpers/cli.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const program = fileURLToPath(new URL("churn-heap.ts", import.meta.url));

test("the young generation of a command stops growing at 32 MB", async () => {
  await using bounded = startScript(program, ["bounded"], { cwd: temporaryFolder(), env: {} });
  expect((await bounded.ended).json).toBe(32 * 1024 * 1024);
});
