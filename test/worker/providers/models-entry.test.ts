import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const node = fileURLToPath(new URL("../../../node_modules/.bin/node", import.meta.url));

/** Prints every name that is imported when `models.ts` is. */
const script = `
  import { registerHooks } from "node:module";
  const names = [];
  registerHooks({ resolve: (name, context, next) => (names.push(name), next(name, context)) });
  await import("./models.ts");
  console.log(JSON.stringify(names));
`;

test("imagemill/models loads no queue, no Redis, of OpenAI's package the images alone, and Hugging Face's client only when it is needed", async () => {
  const args = ["--input-type=module", "--eval", script];
  const { stdout } = await promisify(execFile)(node, args, { cwd: root });
  const names = z.array(z.string()).parse(JSON.parse(stdout));
  expect(names).toContain("openai/resources/images");
  for (const heavy of ["openai", "undici", "bullmq", "ioredis", "pino", "@huggingface/inference"])
    expect(names).not.toContain(heavy);
});
