import { describe, expect, test } from "vitest";
import { Cleanup } from "../../shared/cleanup.ts";

describe("Cleanup", () => {
  test("does every step once, the last one first, whatever the others come to", async () => {
    const done: string[] = [];
    const cleanup = new Cleanup();
    cleanup.use({ [Symbol.asyncDispose]: async () => void done.push("resource") });
    cleanup.defer(() => Promise.reject(new Error("no")));
    cleanup.defer(() => done.push("step"));
    await expect(cleanup[Symbol.asyncDispose]()).rejects.toThrow("no");
    await cleanup[Symbol.asyncDispose]();
    expect(done).toEqual(["step", "resource"]);
  });

  test("tells of every step that failed", async () => {
    const cleanup = new Cleanup();
    for (const text of ["one", "two"]) cleanup.defer(() => Promise.reject(new Error(text)));
    const ending = cleanup[Symbol.asyncDispose]();
    await expect(ending).rejects.toMatchObject({ errors: [new Error("two"), new Error("one")] });
  });

  test("leaves everything to the one that it was moved to", async () => {
    const done: string[] = [];
    const owner = new Cleanup();
    owner.defer(() => done.push("step"));
    const heir = owner.move();
    await owner[Symbol.asyncDispose]();
    expect(done).toEqual([]);
    await heir[Symbol.asyncDispose]();
    expect(done).toEqual(["step"]);
  });
});
