import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AnswerBytes } from "../../../worker/providers/answer-bytes.ts";

const pieces = fc.array(
  fc.string({ unit: fc.constantFrom("a", "b", "ä", "🙂"), maxLength: 8 }).map((text) => text),
  { maxLength: 8 },
);

test("bytes in pieces read like the same bytes as one", () => {
  const cutAnywhere = fc.tuple(pieces, fc.nat({ max: 3 }));
  fc.assert(
    fc.property(cutAnywhere, fc.nat(40), fc.nat(40), ([texts, shift], a, b) => {
      const whole = Buffer.from(texts.join(""));
      const ends = texts.map((_, i) => Buffer.byteLength(texts.slice(0, i + 1).join("")));
      const starts = [0, ...ends.map((end) => Math.min(whole.length, end + shift)), whole.length];
      const bytes = new AnswerBytes(
        starts.slice(1).map((end, i) => whole.subarray(Math.min(starts[i]!, end), end)),
      );
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      expect(bytes.text(from, to)).toBe(whole.toString("utf8", from, to));
      for (const wanted of ["a", "ab", "ä", "aba", "🙂🙂"])
        expect(bytes.indexOf(Buffer.from(wanted), from)).toBe(
          from >= whole.length ? -1 : whole.indexOf(wanted, from),
        );
      expect(bytes.whole).toEqual(whole);
      expect(bytes.text()).toBe(whole.toString("utf8"));
    }),
    { numRuns: 500 },
  );
});
