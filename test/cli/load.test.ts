import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";

const root = fileURLToPath(new URL("../../", import.meta.url));
const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

/** Runs a command line and gives the addresses of all that it has loaded. */
async function loadedBy(...args: string[]): Promise<string[]> {
  const script = `
    import { registerHooks } from "node:module";
    const urls = [];
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
    const { main } = await import("./cli.ts");
    await main(${JSON.stringify(args)});
    console.error(JSON.stringify(urls));
  `;
  const { stderr } = await promisify(execFile)(node, ["--input-type=module", "-e", script], {
    cwd: root,
  });
  return z.array(z.string()).parse(JSON.parse(stderr));
}

test("a command loads neither the other commands nor what its work would need", async () => {
  const urls = await loadedBy("run", "--help");
  expect(urls.filter((url) => url.endsWith("-command.ts"))).toEqual([
    expect.stringMatching(/cli\/run-command\.ts$/),
  ]);
  expect(urls.filter((url) => /\/(bullmq|ioredis|undici|openai|pino-pretty)\//.test(url))).toEqual(
    [],
  );
});
