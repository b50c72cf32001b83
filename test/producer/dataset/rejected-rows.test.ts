import { describe, expect, test } from "vitest";
import { read, rowsOf } from "./read-rows.ts";

function tooLong(bytes: number): string {
  return `! expected a row of at most 16,777,216 bytes, got ${bytes.toLocaleString("en-US")}`;
}

describe("rejected rows", () => {
  test("each says what was expected and what came, and reading goes on", async () => {
    const lines = [
      "{bad",
      '{"prompt":""}',
      '{"prompt":" \\t"}',
      '{"prompt":12}',
      '{"prompt":null}',
      '{"prompt":{}}',
      "[1]",
      "17",
      '{"prompt":"\\ud83d"}',
      '{"prompt":"a","x":"\\udc00"}',
      `{"prompt":"a","x":${"[".repeat(200)}${"]".repeat(200)}}`,
      '{"prompt":"good"}',
    ];
    const prompts = await read("a.jsonl", `{"prompt":"first"}\n${lines.join("\n")}\n`);
    expect(prompts).toEqual([
      "first",
      expect.stringMatching(/^! expected JSON, got what is not: /),
      "! expected a prompt in column `prompt`, got an empty text",
      "! expected a prompt in column `prompt`, got only white space",
      "! expected the prompt in column `prompt` to be text, got the number `12`",
      "! expected the prompt in column `prompt` to be text, got null",
      "! expected the prompt in column `prompt` to be text, got an object",
      "! expected an object or a text, got an array",
      "! expected an object or a text, got the number `17`",
      "! expected Unicode text, got half a character (a lone surrogate) in column `prompt`",
      "! expected Unicode text, got half a character (a lone surrogate) in column `x`",
      "! expected at most 100 levels of nesting, got more in column `x`",
      "good",
    ]);
  });

  test("bytes that are not UTF-8 reject their row in every format", async () => {
    const bad = Buffer.from([0xc3, 0x28]);
    const around = (before: string, after: string) =>
      Buffer.concat([Buffer.from(before), bad, Buffer.from(after)]);
    const reason = "! expected UTF-8, got bytes that are not";
    expect(await read("a.txt", around("x", "\ngood\n"))).toEqual([reason, "good"]);
    expect(await read("a.jsonl", around('{"prompt":"', '"}\n"good"\n'))).toEqual([reason, "good"]);
    expect(await read("a.json", around('["', '","good"]'))).toEqual([reason, "good"]);
    expect(await read("a.csv", around("prompt\n", "\ngood\n"))).toEqual([reason, "good"]);
  });

  test("a prompt over 1 MiB of UTF-8 is rejected, one of exactly that is not", async () => {
    const most = "é".repeat(512 * 1024);
    const prompts = await read("a.txt", `${most}\n${most}x\ngood\n`);
    expect(prompts[0]).toBe(most);
    expect(prompts.slice(1)).toEqual([
      "! expected a prompt of at most 1,048,576 bytes, got 1,048,577",
      "good",
    ]);
  });

  test("a row over 16 MiB is rejected with its size, without the rows around it", async () => {
    const long = "x".repeat(17 * 1024 * 1024);
    expect(await read("a.jsonl", `"a"\n"${long}"\n"b"\n`)).toEqual([
      "a",
      tooLong(long.length + 2),
      "b",
    ]);
    expect(await read("a.json", `["a","${long}","b"]`)).toEqual([
      "a",
      tooLong(long.length + 2),
      "b",
    ]);
    expect(await read("a.csv", `prompt,x\na,1\n${long},2\nb,3\n`)).toEqual([
      "a",
      tooLong(long.length + 2),
      "b",
    ]);
  });

  test("the start of what was read has at most 200 characters and no half ones", async () => {
    const [row] = await rowsOf("a.jsonl", `{${"x".repeat(198)}😀\n`);
    expect(row).toMatchObject({ ok: false, raw: `{${"x".repeat(198)}` });
  });
});
