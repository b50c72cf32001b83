import { expect, test } from "vitest";
import { printable } from "../../shared/printable.ts";

test("what would steer a terminal or turn text around is shown, all other text stays", () => {
  expect(printable("\u001b[2J\u001b]0;x\u0007 a\rb \u009b1m \u007f \u0000")).toBe(
    "\\u001b[2J\\u001b]0;x\\u0007 a\\u000db \\u009b1m \\u007f \\u0000",
  );
  expect(printable("a\u202eb\u2066c\u2069\u200f\u2028")).toBe(
    "a\\u202eb\\u2066c\\u2069\\u200f\\u2028",
  );
  const text = "犬 – é 😀 \u05d0\u200d\n\ta|b █";
  expect(printable(text)).toBe(text);
});
