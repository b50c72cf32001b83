import { expect, test } from "vitest";
import { contactSheet, sheetEntry } from "../../../producer/outputs/contact-sheet.ts";
import { datasetCard } from "../../../producer/outputs/dataset-card.ts";
import { html } from "../../../shared/html.ts";
import { codeSpan, yamlString } from "../../../producer/outputs/markdown.ts";
import { countLine, noCounts, shownCost } from "../../../producer/outputs/run-counts.ts";
import type { JournalLine } from "../../../shared/journal-line.ts";
import type { RunFile } from "../../../shared/run-file.ts";
import { fileOf, promptLine, runFile } from "./small-run.ts";

const hostile = `"'><script>alert(1)</script> <img src=x onerror=alert(1)>\u0000 ---\nconfigs: []\n---\n| \`x\` |`;

/** The tags of a page, without their attributes. */
function tags(page: string): string[] | null {
  return page.match(/<[a-z!/][a-z]*/gi);
}

function sheetOf(lines: JournalLine[], run: RunFile = runFile()): string {
  const counts = noCounts(undefined);
  for (const line of lines) countLine(counts, line);
  return contactSheet(run, counts, lines.map(sheetEntry));
}

test("a page has no markup but its own, whatever prompts, ids, messages and models say", () => {
  const line = promptLine(0, [0], { row: { id: hostile, prompt: hostile, columns: {} } });
  const failures = line.failures.map((failure) => ({ ...failure, message: hostile }));
  const run = runFile({
    model: hostile,
    source: { ...runFile().source, path: `/data/${hostile}.jsonl` },
  });
  const [harmless, attacked] = [
    sheetOf([promptLine(0, [0])]),
    sheetOf([{ ...line, failures }], run),
  ];
  expect(tags(attacked)).toEqual(tags(harmless));
  expect(attacked).not.toContain("\u0000");
  expect(attacked).toContain("&lt;script&gt;alert(1)");
});

test("a page asks for nothing but the images beside it", () => {
  const page = sheetOf([promptLine(0, [0, 1])]);
  const asked = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1]);
  expect(new Set(asked)).toEqual(new Set([fileOf(0, 0), fileOf(0, 1)]));
  expect(page).not.toMatch(/url\(|@import|<script|<link|https?:/);
});

test("a missing image has its place among the others, with kind and message", () => {
  const page = sheetOf([promptLine(3, [1])]);
  const tiles = page.slice(page.indexOf('class="tiles'), page.indexOf('class="prompt'));
  expect(tiles.indexOf("content policy")).toBeGreaterThan(0);
  expect(tiles.indexOf("content policy")).toBeLessThan(tiles.indexOf(fileOf(3, 1)));
  expect(tiles).toContain("refused 3");
});

test("long prompts are cut, never within a character", () => {
  const prompt = `${"x".repeat(599)}😀 and so on`;
  expect(sheetOf([promptLine(0, [], { row: { prompt, columns: {} } })])).toContain("xxx…");
  expect(codeSpan(`${"x".repeat(199)}😀`)).toBe(`\`${"x".repeat(199)}\``);
  const page = sheetOf([
    promptLine(0, [], { row: { prompt: "x".repeat(1_000_000), columns: {} } }),
  ]);
  expect(page.length).toBeLessThan(20_000);
});

test("a template puts HTML in as it is and escapes everything else", () => {
  const list = [html`<b>${"<"}</b>`, html`<i>${1}</i>`];
  expect(html`<p title="${'"&'}">${list}</p>`.text).toBe(
    '<p title="&quot;&amp;"><b>&lt;</b>\n<i>1</i></p>',
  );
});

test("the card's front matter and tables hold against hostile names", () => {
  const run = runFile({ model: hostile, parameters: { style: "```\n---\n# x" } });
  const card = datasetCard(
    run,
    { ...noCounts(undefined), images: 1 },
    new Map([["a|b\n# c `d`", "text"]]),
  );
  const lines = card.split("\n");
  expect(lines.indexOf("---", 1)).toBe(14);
  expect(lines.filter((line) => line === "---")).toHaveLength(2);
  expect(lines[1]).toMatch(/^pretty_name: "[\u0020-\u007e]*"$/);
  expect(lines.filter((line) => line.startsWith("# "))).toHaveLength(1);
  expect(lines.filter((line) => line.startsWith("```"))).toHaveLength(4);
  expect(card).toContain("| `` a\\|b # c `d` `` | text | from the dataset |");
});

test("code spans and YAML strings keep their text on one line", () => {
  expect(codeSpan("a``b`")).toBe("``` a``b` ```");
  expect(codeSpan("a\r\n b")).toBe("`a b`");
  expect(codeSpan("a\u001b[2J")).toBe("`a\\u001b[2J`");
  expect(yamlString('é "\u2028😀\u0007')).toBe('"\\U000000e9 \\"\\U00002028\\U0001f600\\u0007"');
});

test("a cost is shown in cents, a small one more finely", () => {
  expect([undefined, 0, 0.0123, 0.5, 1234.5].map(shownCost)).toEqual([
    "not known",
    "$0.00",
    "$0.0123",
    "$0.50",
    "$1234.50",
  ]);
});
