import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const launcher = fileURLToPath(new URL("../../bin/imagemill.js", import.meta.url));

/** Runs as a Node that is too old for TypeScript would. */
const oldNode = "--no-experimental-strip-types";

/** What makes a Node say that it is another one. */
const asIn = (version: string) =>
  `data:text/javascript,Object.defineProperty(process, "versions", { value: { node: "${version}" } })`;

let checkout: string;

beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), "imagemill-launcher-"));
  await mkdir(join(checkout, "bin"));
  await mkdir(join(checkout, "node_modules", ".bin"), { recursive: true });
  await copyFile(launcher, join(checkout, "bin", "imagemill.js"));
  await writeFile(join(checkout, "package.json"), `{ "type": "module" }`);
  await writeFile(
    join(checkout, "cli.ts"),
    `export async function main(argv: string[]): Promise<number> {
      if (argv[0] !== "wait") {
        console.log(JSON.stringify(argv));
        return 3;
      }
      const alive = setInterval(() => {}, 60_000);
      const interrupted = new Promise<number>((resolve) => {
        for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) process.once(signal, () => resolve(code));
      });
      console.log("waiting");
      return interrupted.finally(() => clearInterval(alive));
    }`,
  );
});

afterEach(() => rm(checkout, { recursive: true, force: true }));

async function addOwnNode() {
  const path = join(checkout, "node_modules", ".bin", "node");
  await writeFile(path, `#!/bin/sh\nexec "${process.execPath}" "$@"\n`);
  await chmod(path, 0o755);
}

async function build() {
  await mkdir(join(checkout, "dist"));
  await writeFile(join(checkout, "dist", "cli.js"), `export const main = async () => 7;`);
}

function launch(nodeOptions: string[], args: string[]) {
  const child = spawn(
    process.execPath,
    [...nodeOptions, join(checkout, "bin", "imagemill.js"), ...args],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  return child;
}

async function outcome(child: ReturnType<typeof launch>) {
  const [stdout, stderr] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { code: child.exitCode, stdout, stderr };
}

describe("the launcher", () => {
  test("runs cli.ts with the arguments and ends with its exit code", async () => {
    const { code, stdout } = await outcome(launch([], ["run", "a b"]));
    expect({ code, stdout }).toEqual({ code: 3, stdout: `["run","a b"]\n` });
  });

  test("runs the built file of a package, which has no cli.ts", async () => {
    await build();
    await rm(join(checkout, "cli.ts"));
    expect(await outcome(launch([oldNode], []))).toMatchObject({ code: 7 });
  });

  test("of a package says which Node it takes, where this one is older", async () => {
    await build();
    await rm(join(checkout, "cli.ts"));
    const { code, stderr } = await outcome(launch(["--import", asIn("22.11.0")], []));
    expect(code).toBe(2);
    expect(stderr).toMatch(/expected Node 22\.12 or newer, got v/);
    expect(await outcome(launch(["--import", asIn("22.12.0")], []))).toMatchObject({ code: 7 });
  });

  test("runs cli.ts of a checkout, whatever was built there some time ago", async () => {
    await build();
    expect(await outcome(launch([], []))).toMatchObject({ code: 3 });
  });

  test("under an old Node runs cli.ts with the Node of node_modules", async () => {
    await addOwnNode();
    const { code, stdout } = await outcome(launch([oldNode], ["run", "a b"]));
    expect({ code, stdout }).toEqual({ code: 3, stdout: `["run","a b"]\n` });
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "under an old Node passes %s on and ends with exit code %i",
    async (signal, expected) => {
      await addOwnNode();
      const child = launch([oldNode], ["wait"]);
      await once(child.stdout, "data");
      child.kill(signal);
      expect(await outcome(child)).toMatchObject({ code: expected });
    },
  );

  test("under an old Node without another one says what to do", async () => {
    const { code, stderr } = await outcome(launch([oldNode], []));
    expect(code).toBe(2);
    expect(stderr).toContain("npm ci");
  });
});
