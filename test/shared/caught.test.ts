import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { reportError } from "../../cli/report-error.ts";
import { isDiskTrouble, messageOf, stackOf } from "../../shared/caught.ts";
import { Cleanup } from "../../shared/cleanup.ts";
import { StorageError } from "../../shared/storage.ts";
import { UsageError } from "../../shared/usage-error.ts";

/** What is thrown where `work` fails and then the ends of what it used, too. */
async function failTwice(work: Error, ...ends: Error[]): Promise<unknown> {
  try {
    await using stack = new Cleanup();
    for (const end of ends)
      stack.defer(() => {
        throw end;
      });
    throw work;
  } catch (error) {
    return error;
  }
}

/** What the command line says of an error, and the exit code. */
function told(error: unknown): [text: string, code: number] {
  let text = "";
  const stderr = new Writable({ write: (chunk, _, done) => done(void (text += String(chunk))) });
  const code = reportError(stderr, error);
  return [text, code];
}

describe("an error that a second one followed while what it used was ended", () => {
  test("is told first, with the other, and gives the exit code", async () => {
    const error = await failTwice(new UsageError("no such column"), new StorageError("disk full"));
    expect(messageOf(error)).toBe("no such column; then, while ending: disk full");
    const [text, code] = told(error);
    expect(text).toBe("imagemill: no such column; then, while ending: disk full\n");
    expect(code).toBe(2);
  });

  test("that storage threw is trouble of the disk, whatever came next", async () => {
    const error = await failTwice(new StorageError("disk full"), new TypeError("x is undefined"));
    expect(isDiskTrouble(error)).toBe(true);
    const [text, code] = told(error);
    expect(text).toMatch(/disk full; then, while ending: x is undefined.*run the same command/);
    expect(code).toBe(4);
  });

  test("that is a bug is told with the stacks of both", async () => {
    const error = await failTwice(new TypeError("x is undefined"), new RangeError("y is negative"));
    expect(stackOf(error)).toMatch(/TypeError: x is.* at .*RangeError: y is.* at /s);
    const [text, code] = told(error);
    expect(text).toMatch(/should not have happened:\nTypeError: x is/);
    expect(code).toBe(1);
  });
});

test("of several things that could not be ended each is told", async () => {
  const error = await failTwice(new Error("first"), new Error("third"), new Error("second"));
  expect(messageOf(error)).toBe("first; then, while ending: second; third");
  expect(told(new AggregateError([new UsageError("no"), new Error("other")]))).toEqual([
    "imagemill: no; other\n",
    2,
  ]);
});
