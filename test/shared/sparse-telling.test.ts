import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SparseTelling, type SparseTellingOptions } from "../../shared/sparse-telling.ts";

function listen(options?: SparseTellingOptions) {
  const lines: string[] = [];
  const telling = new SparseTelling(options);
  const tell = (kind: string, text: string, wider?: string) =>
    telling.tell(
      kind,
      { full: () => lines.push(text), count: (times) => lines.push(`${times} more, ${text}`) },
      wider,
    );
  return { lines, tell, telling };
}

describe("what may happen by the thousand", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("is told in full at first, then as one count an interval, of each kind by itself", () => {
    const { lines, tell } = listen({ inFull: 2, intervalMs: 1_000 });
    for (let i = 0; i < 100; i++) tell("a", `a${i}`);
    tell("b", "b0");
    expect(lines).toEqual(["a0", "a1", "b0"]);
    vi.advanceTimersByTime(1_000);
    expect(lines.slice(3)).toEqual(["98 more, a99"]);
  });

  test("is told in full again after an interval without any", () => {
    const { lines, tell } = listen({ intervalMs: 1_000 });
    tell("a", "first");
    tell("a", "second");
    vi.advanceTimersByTime(1_000);
    tell("a", "third");
    vi.advanceTimersByTime(2_000);
    tell("a", "fourth");
    expect(lines).toEqual(["first", "1 more, second", "1 more, third", "fourth"]);
  });

  test("and is of ever new kinds counts as of a wider one", () => {
    const { lines, tell, telling } = listen({ mostKinds: 2 });
    for (let i = 0; i < 10; i++) tell(`a${i}`, `a${i}`, "a");
    expect(lines).toEqual(["a0", "a1", "a2"]);
    telling.close();
    expect(lines.at(-1)).toBe("7 more, a9");
  });

  test("and was only counted is told at the end", () => {
    const { lines, tell, telling } = listen();
    tell("a", "first");
    tell("a", "second");
    telling.close();
    telling.close();
    expect(lines).toEqual(["first", "1 more, second"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
