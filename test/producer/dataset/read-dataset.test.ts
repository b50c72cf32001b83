import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { formatOf } from "../../../producer/dataset/dataset-format.ts";
import { readDataset } from "../../../producer/dataset/read-dataset.ts";
import { UsageError } from "../../../shared/usage-error.ts";
import { collect } from "../collect.ts";
import { read, rowsOf } from "./read-rows.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

/** The line of each row. */
async function linesOf(name: string, content: string): Promise<(number | undefined)[]> {
  return (await rowsOf(name, content)).map(({ line }) => line);
}

describe("formats", () => {
  test("each format gives the same prompts, with a byte order mark and Windows line ends", async () => {
    const mark = "\ufeff";
    const wanted = ["a cat", 'a "dog", 犬'];
    expect(
      await read("a.jsonl", `${mark}{"prompt":"a cat"}\r\n{"prompt":"a \\"dog\\", 犬"}\r\n`),
    ).toEqual(wanted);
    expect(await read("a.ndjson", `"a cat"\n{"prompt":"a \\"dog\\", 犬"}`)).toEqual(wanted);
    expect(await read("a.json", `${mark} [{"prompt":"a cat"},\r\n"a \\"dog\\", 犬"]\r\n`)).toEqual(
      wanted,
    );
    expect(await read("a.csv", `${mark}id,prompt\r\n1,a cat\r\n2,"a ""dog"", 犬"\r\n`)).toEqual(
      wanted,
    );
    expect(await read("a.tsv", `${mark}id\tprompt\r\n1\ta cat\r\n2\ta "dog", 犬\r\n`)).toEqual(
      wanted,
    );
    expect(await read("a.txt", `${mark}a cat\r\na "dog", 犬`)).toEqual(wanted);
    expect(await read("a.TXT.gz", gzipSync(`${mark}a cat\na "dog", 犬\n`))).toEqual(wanted);
  });

  test("the format comes from the extension; one that tells none is a usage error", () => {
    expect(formatOf("x.json")).toBe("json");
    expect(formatOf("x.TSV.gz")).toBe("tsv");
    expect(() => formatOf("x.parquet")).toThrow(/--format jsonl\|json\|csv\|tsv\|txt/);
    expect(() => formatOf("x.constructor")).toThrow(UsageError);
  });

  test("blank lines are no rows, and rows are counted from 1", async () => {
    const rows = await rowsOf("a.txt", "\n one\n \n\ntwo \n\n");
    expect(rows.map(({ index, row }) => [index, row])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(await read("a.csv", "\nprompt\n\none\n\n")).toEqual(["one"]);
  });

  test("each row has the line in the file at which it begins, blank lines and a header counted", async () => {
    expect(await linesOf("a.txt", "\n one\n \n\r\ntwo")).toEqual([2, 5]);
    expect(await linesOf("a.jsonl", '"a"\n\n\n{broken\n"b"\n')).toEqual([1, 4, 5]);
    expect(await linesOf("a.csv", 'prompt,x\n\n"a\nb",1\n"open,2\nc\nd,3\n')).toEqual([3, 5, 6, 7]);
    expect(await linesOf("a.json", '["a",\n"b"]')).toEqual([undefined, undefined]);
  });

  test("control characters and NUL stay in the prompt", async () => {
    expect(await read("a.txt", "a\u0000b\u001bc\n")).toEqual(["a\u0000b\u001bc"]);
    expect(await read("a.jsonl", '{"prompt":"a\\u0000b\\nc"}\n')).toEqual(["a\u0000b\nc"]);
  });
});

const openQuote = '! expected `"` at the end of a field that begins with it, got none';

describe("CSV and TSV", () => {
  test("a quoted field may have line ends and delimiters", async () => {
    expect(await read("a.csv", 'prompt,x\n"one,\ntwo\r\nthree",1\nfour,2\n')).toEqual([
      "one,\ntwo\r\nthree",
      "four",
    ]);
    expect(await read("a.tsv", 'prompt\tx\n"one\ttwo\nthree"\t1\n')).toEqual(["one\ttwo\nthree"]);
  });

  test("quotes that close before the field's end are text", async () => {
    const content = 'prompt\tx\n"STOP" on a sign\t1\n5" by 7"\t2\n"not closed\t3\nlast\t4\n';
    expect(await read("a.tsv", content)).toEqual([
      '"STOP" on a sign',
      '5" by 7"',
      '"not closed',
      "last",
    ]);
  });

  test("a quote that is never closed costs its own row only", async () => {
    const prompts = await read("a.csv", 'prompt,x\n"open,1,\nnext,2\n');
    expect(prompts).toEqual([openQuote, "next"]);
  });

  test("a quote that is never closed rejects its row in CSV, wherever the file ends", async () => {
    for (const end of ["", "\n", "\r\n", "\nnext,2\n"])
      expect((await read("a.csv", `prompt,x\n"open quote,2${end}`))[0]).toBe(openQuote);
    expect(await read("a.csv", 'prompt,x\n"a "b" c,1\nnext,"2\nlast,3')).toEqual([
      openQuote,
      openQuote,
      "last",
    ]);
    expect(await read("a.csv", 'prompt,x\n"STOP" on a sign,1\n5" nails,2\n"""",3')).toEqual([
      '"STOP" on a sign',
      '5" nails',
      '"',
    ]);
  });

  test("a row with another number of columns is rejected with both numbers", async () => {
    const rows = await rowsOf("a.csv", "prompt,x\none\ntwo,2\n");
    expect(rows).toMatchObject([
      { ok: false, row: 1, reason: "expected 2 columns (as in the header), got 1", raw: "one" },
      { ok: true, row: 2, prompt: "two", columns: { x: "2" } },
    ]);
  });

  test("header cells without a name or with a repeated one get names of their own", async () => {
    const [row] = await rowsOf("a.csv", ",prompt,x,x\n1,one,2,3\n");
    expect(row).toMatchObject({ columns: { column_1: "1", x: "2", x_4: "3" } });
    await expect(read("a.csv", "prompt,prompt\na,b\n")).rejects.toThrow("its header has several");
  });
});

describe("columns", () => {
  test("a file that is no table is refused in few words, not with all that stands for its header", async () => {
    const line = JSON.stringify({ text: "x".repeat(2_000_000) });
    const message = await read("a.tsv", line).then(String, String);
    expect(message).toMatch(/Expected a column `prompt`.*Columns found: `{"text":"x+…`$/);
    expect(message.length).toBeLessThan(500);
  });

  test("a missing prompt column is a usage error with the columns found and the near match", async () => {
    const problem =
      /Expected a column `prompt` \(--prompt-column\).*did you mean `Prompts`\? Columns found: `Prompts`, `x`/;
    await expect(read("a.csv", "Prompts,x\na,b\n")).rejects.toThrow(problem);
    await expect(read("a.jsonl", '"bare"\n{"Prompts":"a","x":1}\n')).rejects.toThrow(problem);
    await expect(read("a.json", '[{"Prompts":"a","x":1}]')).rejects.toBeInstanceOf(UsageError);
  });

  test("a later JSON row without the prompt is rejected", async () => {
    const reason = "! expected the prompt in column `prompt` to be text, got no value";
    expect(await read("a.jsonl", '{"prompt":"a"}\n{"x":"b"}\n')).toEqual(["a", reason]);
  });

  test("missing id and parameter columns are usage errors", async () => {
    await expect(read("a.csv", "prompt\na\n", { idColumn: "key" })).rejects.toThrow(
      "`key` (--id-column)",
    );
    await expect(read("a.csv", "prompt\na\n", { paramsColumn: "p" })).rejects.toThrow(
      "`p` (--params-column)",
    );
    await expect(read("a.csv", "prompt\na\n", { paramFrom: { size: "s" } })).rejects.toThrow(
      "`s` (--param-from size=)",
    );
    await expect(read("a.jsonl", '{"prompt":"a"}', { idColumn: "key" })).rejects.toThrow(
      "--id-column",
    );
    await expect(read("a.txt", "a\n", { idColumn: "key" })).rejects.toThrow("--id-column");
    expect(await read("a.jsonl", '{"prompt":"a"}', { paramFrom: { size: "dimensions" } })).toEqual([
      "a",
    ]);
    await expect(
      read("a.jsonl", '{"prompt":"a","size":1}', { paramFrom: { size: "sise" } }),
    ).rejects.toThrow("`size`?");
  });

  test("id, parameters and other columns are told apart", async () => {
    const content = [
      { prompt: "a", key: 7, params: { size: "1024x1024", n: 2 }, quality: "high", x: null },
      { prompt: "b", key: "", params: '{"size":"auto"}', quality: "", x: [1] },
      { prompt: "c", key: null, params: null, quality: null },
    ];
    const rows = await rowsOf("a.jsonl", content.map((row) => JSON.stringify(row)).join("\n"), {
      idColumn: "key",
      paramsColumn: "params",
      paramFrom: { quality: "quality" },
    });
    expect(rows).toMatchObject([
      {
        id: "7",
        parameters: { size: "1024x1024", n: 2, quality: "high" },
        columns: { key: 7, quality: "high", x: null },
      },
      { parameters: { size: "auto" }, columns: { key: "", quality: "", x: [1] } },
      { parameters: {}, columns: { key: null, quality: null } },
    ]);
    expect(rows.map((row) => "id" in row)).toEqual([true, false, false]);
    expect(rows.map((row) => row.ok && "params" in row.columns)).toEqual([false, false, false]);
  });

  test("parameters that are no JSON object reject the row", async () => {
    const content =
      '{"prompt":"a","p":"{broken"}\n{"prompt":"b","p":[1]}\n{"prompt":"c","p":"3"}\n';
    expect(await read("a.jsonl", content, { paramsColumn: "p" })).toEqual([
      "! expected the parameters in column `p` to be a JSON object, got the string `{broken`",
      "! expected the parameters in column `p` to be a JSON object, got an array",
      "! expected the parameters in column `p` to be a JSON object, got the number `3`",
    ]);
  });

  test("a column named __proto__ is a column and changes no object", async () => {
    const [json] = await rowsOf("a.jsonl", '{"prompt":"a","__proto__":{"polluted":1}}\n');
    const [csv] = await rowsOf("a.csv", "prompt,__proto__\na,b\n");
    expect(json?.ok && Object.entries(json.columns)).toEqual([["__proto__", { polluted: 1 }]]);
    expect(csv?.ok && Object.entries(csv.columns)).toEqual([["__proto__", "b"]]);
    expect(json?.ok && json.columns["polluted"]).toBeUndefined();
    await expect(read("a.jsonl", '{"x":1}\n', { promptColumn: "__proto__" })).rejects.toThrow(
      UsageError,
    );
  });

  test("whole numbers too large for JavaScript keep their digits as text", async () => {
    const [row] = await rowsOf(
      "a.jsonl",
      '{"prompt":"a","id":9007199254740993123,"x":1.5,"y":12}\n',
      { idColumn: "id" },
    );
    expect(row).toMatchObject({
      id: "9007199254740993123",
      columns: { id: "9007199254740993123", x: 1.5, y: 12 },
    });
  });

  test("numbers too large for JavaScript at all keep their text", async () => {
    const long = `${"9".repeat(400)}.5`;
    const [row] = await rowsOf(
      "a.jsonl",
      `{"prompt":"a","x":1e400,"y":-1E+999,"z":[1e308],"long":${long}}\n`,
    );
    expect(row).toMatchObject({ columns: { x: "1e400", y: "-1E+999", z: [1e308], long } });
  });
});

describe("hash", () => {
  test("is the same for the same row and another for each other one", async () => {
    const lines = [
      '{"prompt":"a","x":1}',
      '{"prompt":"a","x":2}',
      '{"prompt":"b","x":1}',
      "{bad",
      "{worse",
    ];
    const first = await rowsOf("a.jsonl", lines.join("\n"));
    const again = await rowsOf("b.jsonl", lines.join("\r\n"));
    expect(new Set(first.map(({ hash }) => hash)).size).toBe(lines.length);
    expect(again.map(({ hash }) => hash)).toEqual(first.map(({ hash }) => hash));
    expect(first[0]?.hash).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("files that are no dataset", () => {
  test("are usage errors that name the path", async () => {
    const folder = temporaryFolder();
    const source = { format: "jsonl", promptColumn: "prompt", paramFrom: {} } as const;
    const missing = collect(readDataset({ ...source, path: join(folder, "none.jsonl") }));
    await expect(missing).rejects.toThrow(/There is no dataset at .*none\.jsonl/);
    await expect(collect(readDataset({ ...source, path: folder }))).rejects.toThrow(
      /it is a directory/,
    );
    await expect(read("a.csv", "")).rejects.toThrow(/Expected a header.*a\.csv/);
    await expect(read("a.json", "")).rejects.toThrow(/JSON array, got an empty file/);
    await expect(read("a.json", '{"prompt":"a"}')).rejects.toThrow(/--format jsonl/);
    await expect(read("a.txt.gz", "not gzip")).rejects.toThrow(
      /Expected .*a\.txt\.gz to be a whole gzip file/,
    );
    await expect(
      read("a.txt.gz", gzipSync("a\n".repeat(99)).subarray(0, -9)),
    ).rejects.toBeInstanceOf(UsageError);
    await expect(read("a.txt", Buffer.from("\ufeffa", "utf16le"))).rejects.toThrow(/UTF-16/);
  });

  test("an empty JSON Lines or text file has no rows", async () => {
    expect(await read("a.jsonl", "")).toEqual([]);
    expect(await read("a.txt", "\n")).toEqual([]);
  });
});
