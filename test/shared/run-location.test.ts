import { resolve } from "node:path";
import { expect, test } from "vitest";
import { locationOf } from "../../shared/run-location.ts";

test.each([
  ["runs/first", resolve("runs/first")],
  ["./s3:/pictures", resolve("s3:/pictures")],
  ["a:b", resolve("a:b")],
  ["s3://pictures/runs/first/", "s3://pictures/runs/first"],
  ["s3://pictures/", "s3://pictures"],
  ["s3://pictures/ünï 雪/a+b%20c", "s3://pictures/ünï 雪/a+b%20c"],
])("the location of %s is %s", (out, location) => expect(locationOf(out)).toBe(location));

test.each(["S3://pictures/x", "s3:/pictures/x", "gs://pictures/x", "https://host/x", "file:///x"])(
  "%s is a mistake, not a folder of that name",
  (out) =>
    expect(() => locationOf(out)).toThrow(
      `expected a folder or a location like s3://bucket/folder, got \`${out}\``,
    ),
);
