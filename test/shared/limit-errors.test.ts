import { EventEmitter } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { limitErrors } from "../../shared/limit-errors.ts";

function listen() {
  vi.useFakeTimers();
  const emitter = new EventEmitter();
  const lines: [string, number][] = [];
  const stop = limitErrors(emitter, (message, count) => lines.push([message, count]));
  return { emitter, lines, stop };
}

describe("errors of a connection", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("are reported once at the start of a burst, then as a count every 10 s", () => {
    const { emitter, lines } = listen();
    for (let i = 0; i < 5_000; i++) emitter.emit("error", new Error(`away ${i}`));
    expect(lines).toEqual([["away 0", 1]]);

    vi.advanceTimersByTime(10_000);
    expect(lines).toEqual([
      ["away 0", 1],
      ["away 4999", 4_999],
    ]);

    emitter.emit("error", new Error("still away"));
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(10_000);
    expect(lines.at(-1)).toEqual(["still away", 1]);
  });

  test("are reported at once again after 10 s without one", () => {
    const { emitter, lines } = listen();
    emitter.emit("error", new Error("first"));
    vi.advanceTimersByTime(10_000);
    emitter.emit("error", new Error("second"));
    expect(lines).toEqual([
      ["first", 1],
      ["second", 1],
    ]);
  });

  test("that were only counted are reported when listening stops", () => {
    const { emitter, lines, stop } = listen();
    emitter.emit("error", new Error("first"));
    emitter.emit("error", new Error("second"));
    stop();
    expect(lines.at(-1)).toEqual(["second", 1]);
    expect(emitter.listenerCount("error")).toBe(0);
  });

  test("without a message are named by their parts", () => {
    const { emitter, lines } = listen();
    emitter.emit(
      "error",
      new AggregateError([new Error("refused ::1"), new Error("refused 127.0.0.1")]),
    );
    expect(lines).toEqual([["refused ::1; refused 127.0.0.1", 1]]);
  });
});
