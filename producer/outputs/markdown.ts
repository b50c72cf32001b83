import { cutText } from "../../shared/cut-text.ts";
import { printable } from "../../shared/printable.ts";

/**
 * The first 200 characters of a text as inline code of a Markdown table: nothing in it is markup, and it stays on its line and
 * in its cell.
 */
export function codeSpan(text: string): string {
  const line = printable(cutText(text, 200).replace(/\s+/g, " ")).replaceAll("|", "\\|");
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = line === "" || line.startsWith("`") || line.endsWith("`") ? " " : "";
  return `${fence}${pad}${line}${pad}${fence}`;
}

/** Text as a quoted YAML string, ASCII only, so that no reader takes part of it for a line end or for markup. */
export function yamlString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(/[^\u0020-\u007e]/gu, (character) => {
    const code = character.codePointAt(0)!.toString(16).padStart(8, "0");
    return `\\U${code}`;
  });
}
