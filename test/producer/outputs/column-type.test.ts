import fc from "fast-check";
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
    const shuffle = fc.shuffledSubarray(values, {
      minLength: values.length,
      maxLength: values.length,
    });
    return fc.tuple(fc.constant(values), shuffle);
  });
  fc.assert(
    fc.property(shuffled, ([values, other]) =>
      expect(typeOfColumn(other)).toBe(typeOfColumn(values)),
    ),
  );
});

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
      const type = typeOfColumn(values);
      for (const value of values) {
        const held = toColumnValue(value, type);
        if (value === null) expect(held).toBeNull();
        else if (type === "json")
          expect(JSON.parse(String(held))).toEqual(JSON.parse(JSON.stringify(value)));
        else expect(Number(held) === value || held === value).toBe(true);
      }
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
