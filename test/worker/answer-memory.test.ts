import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AnswerMemory, type AnswerShare } from "../../worker/answer-memory.ts";
import { createModel } from "../../worker/providers/index.ts";
import { OpenAIImageGeneration } from "../../worker/providers/openai.ts";
import { png, startProvider } from "./providers/provider-server.ts";
import { until } from "../helpers/until.ts";

const mb = 1024 * 1024;

describe("AnswerMemory", () => {
  test("is never overdrawn but by an answer that is alone, and lets everybody in, in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 70_000, max: 12 * mb }), { minLength: 1, maxLength: 40 }),
        async (sizes) => {
          const memory = new AnswerMemory(8 * mb);
          const entered: number[] = [];
          const calls = sizes.map(async (bytes, i) => {
            const share = memory.open();
            await share.take(bytes);
            entered.push(i);
            expect(memory.usedBytes).toBeLessThanOrEqual(Math.max(8 * mb, bytes));
            expect(memory.usedBytes).toBeGreaterThanOrEqual(bytes);
            setImmediate(() => share.release());
          });
          await Promise.all(calls);
          expect(entered).toEqual(sizes.map((_, i) => i));
          await new Promise(setImmediate);
          expect(memory.usedBytes).toBe(0);
        },
      ),
    );
  });

  test("lets a call go on that has bytes already, and takes nothing for small answers", async () => {
    const memory = new AnswerMemory(mb);
    const [first, second] = [memory.open(), memory.open()];
    expect(first.take(mb)).toBeUndefined();
    expect(second.take(1_000)).toBeUndefined();
    const room = second.take(mb);
    expect(room).toBeInstanceOf(Promise);
    expect(first.take(mb)).toBeUndefined();
    first.release();
    await room;
    expect(memory.usedBytes).toBe(mb);
  });

  test("believes an answer that does not say its length to be like those before", () => {
    const memory = new AnswerMemory(10 * mb);
    expect(memory.open().take(6 * mb)).toBeUndefined();
    expect(memory.open().take(0)).toBeInstanceOf(Promise);
  });

  test("lets the answers of one call in together, so that no two calls wait for each other's rest", async () => {
    const memory = new AnswerMemory(5 * mb);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    expect(first.take(5 * mb)).toBeUndefined();
    const rooms = [second, third, second, third].map((share) => share.take(2 * mb));
    first.release();
    await rooms[0];
    await rooms[2];
    expect(memory.usedBytes).toBe(4 * mb);
    second.release();
    await rooms[1];
    await rooms[3];
    expect(memory.usedBytes).toBe(4 * mb);
    third.release();
    expect(memory.usedBytes).toBe(0);
  });

  test("forgets all answers of a call that gave up while it waited", () => {
    const memory = new AnswerMemory(4 * mb);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    expect(first.take(4 * mb)).toBeUndefined();
    void second.take(2 * mb);
    void second.take(mb);
    second.release();
    first.release();
    expect(third.take(4 * mb)).toBeUndefined();
    third.release();
    expect(memory.usedBytes).toBe(0);
  });

  test("forgets who gave up while it waited", async () => {
    const memory = new AnswerMemory(mb);
    const [first, second, third] = [memory.open(), memory.open(), memory.open()];
    expect(first.take(mb)).toBeUndefined();
    void second.take(mb);
    const room = third.take(mb);
    second.release();
    first.release();
    await room;
    expect(memory.usedBytes).toBe(mb);
    third.release();
    expect(memory.usedBytes).toBe(0);
  });
});

test.for([
  ["the built-in client", undefined],
  ["a given fetch", globalThis.fetch],
] as const)(
  "answers that do not say their length are read a few at a time from the first on, by %s",
  async ([, fetch]) => {
    const image = Buffer.concat([png, Buffer.alloc(9_000_000)]);
    const body = JSON.stringify({ data: [{ b64_json: image.toString("base64") }] });
    const server = await startProvider((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write(body.slice(0, 1_000));
      response.end(body.slice(1_000));
    });
    const options = { model: "imagemill-sim-1", baseUrl: server.url, ...(fetch && { fetch }) };
    await using model = new OpenAIImageGeneration(options);
    await model.load();
    const memory = new AnswerMemory(30 * mb);
    const answered: AnswerShare[] = [];
    const makes = Array.from({ length: 8 }, async () => {
      const share = memory.open();
      await model.agenerate("a fox", { numGenerations: 1, parameters: {}, memory: share });
      answered.push(share);
    });
    const come = async (count: number) => {
      const all = () => expect(answered).toHaveLength(count);
      await until(all, 5);
      expect(memory.usedBytes).toBe(count * body.length);
      for (const share of answered.splice(0)) share.release();
    };
    // Three of 8 MB would have room; once they are known to be longer, two.
    await come(3);
    await come(2);
    await come(2);
    await come(1);
    await Promise.all(makes);
  },
);

test("answers that all come at once are read a few at a time, and the time that they wait is no timeout", async () => {
  const image = Buffer.concat([png, Buffer.alloc(2_000_000)]);
  const body = JSON.stringify({ data: [{ b64_json: image.toString("base64") }] });
  const server = await startProvider((_, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  });
  const profile = { name: "t", kind: "openai", keyVariable: "K", baseUrl: server.url } as const;
  const timeoutMs = 2_000;
  await using model = await createModel(profile, "imagemill-sim-1", { timeoutMs });
  await model.agenerate("a fox", { numGenerations: 1, parameters: {} });
  const memory = new AnswerMemory(6 * mb);
  const unanswered = new Set<AnswerShare>();
  let held = 0;
  let most = 0;
  const othersWaitedTooLong = Promise.withResolvers<void>();
  const makes = Array.from({ length: 24 }, async () => {
    const share = memory.open();
    unanswered.add(share);
    await model.agenerate("a fox", { numGenerations: 1, parameters: {}, memory: share });
    unanswered.delete(share);
    most = Math.max(most, ++held);
    await othersWaitedTooLong.promise;
    held -= 1;
    share.release();
  });
  // As with a disk that is nearly full: what was read is kept for longer than a call may take.
  const waited = () => {
    expect(unanswered.size).toBe(22);
    for (const share of unanswered) expect(share.heldUpMs).toBeGreaterThan(timeoutMs);
  };
  await Promise.race([until(waited), Promise.all(makes)]);
  othersWaitedTooLong.resolve();
  await Promise.all(makes);
  expect(most).toBe(2);
  expect(memory.usedBytes).toBe(0);
});
