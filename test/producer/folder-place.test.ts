import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folderPlace } from "../../producer/folder-place.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

/** Rows of one kind, which are long in coming. */
async function* rows(kind: string): AsyncGenerator<string> {
  for (let row = 0; row < 50; row++) {
    await new Promise(setImmediate);
    yield `${kind}\n`;
  }
}

async function* broken(): AsyncGenerator<string> {
  yield* rows("a");
  throw new Error("broken off");
}

test("input that two keep at once is that of one of them, whole, and nothing else is left", async () => {
  const directory = temporaryFolder();
  const place = folderPlace(directory);
  const [path] = await Promise.all(
    ["a", "b"].map((kind) => place.keepInput("stdin.txt", rows(kind))),
  );
  expect(["a\n".repeat(50), "b\n".repeat(50)]).toContain(readFileSync(path!, "utf8"));
  expect(readdirSync(join(directory, ".imagemill"))).toEqual(["stdin.txt"]);
});

test("input that breaks off is not kept, and leaves nothing", async () => {
  const directory = temporaryFolder();
  const place = folderPlace(directory);
  await expect(place.keepInput("stdin.txt", broken())).rejects.toThrow("broken off");
  expect(await place.findInput("stdin.txt")).toBeUndefined();
  expect(readdirSync(join(directory, ".imagemill"))).toEqual([]);
});
