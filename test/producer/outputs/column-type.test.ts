import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ColumnType,
  commonType,
  toColumnValue,
  typeOfValue,
} from "../../../producer/outputs/column-type.ts";

const typeOfColumn = (values: unknown[]) =>
  values.map(typeOfValue).reduce<ColumnType>(commonType, "empty");

test("a column's type does not depend on the order of its values", () => {
  const shuffled = fc.array(fc.jsonValue()).chain((values) => {
    const all = { minLength: values.length, maxLength: values.length };
    return fc.tuple(fc.constant(values), fc.shuffledSubarray(values, all));
  });
  fc.assert(
    fc.property(shuffled, ([values, other]) => {
      expect(typeOfColumn(other)).toBe(typeOfColumn(values));
    }),
  );
});

/** What was put into a column, made from what the column holds. */
function fromColumn(held: ReturnType<typeof toColumnValue>, type: ColumnType): unknown {
  if (held === null) return null;
  if (type === "json") return JSON.parse(String(held));
  return typeof held === "bigint" ? Number(held) : held;
}

test("every value of a column comes back from what the column holds", () => {
  const column = fc.oneof(
    fc.array(fc.jsonValue()),
    fc.array(fc.option(fc.maxSafeInteger())),
    fc.array(
      fc.option(fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))),
    ),
    fc.array(fc.option(fc.string())),
    fc.array(fc.option(fc.boolean())),
  );
  fc.assert(
    fc.property(column, (values) => {
      const written: unknown[] = JSON.parse(JSON.stringify(values));
      const type = typeOfColumn(written);
      expect(written.map((value) => fromColumn(toColumnValue(value, type), type))).toEqual(written);
    }),
  );
});

test("types are as narrow as the values allow", () => {
  expect(typeOfColumn([])).toBe("empty");
  expect(typeOfColumn([null, 1, -5])).toBe("integer");
  expect(typeOfColumn([1, 2.5, null])).toBe("number");
  expect(typeOfColumn([1, 1e300])).toBe("number");
  expect(typeOfColumn([true, null])).toBe("boolean");
  expect(typeOfColumn([null, null, "x"])).toBe("text");
  expect(typeOfColumn(["x", 1])).toBe("json");
  expect(typeOfColumn([true, 1])).toBe("json");
  expect(typeOfColumn([[1]])).toBe("json");
});
