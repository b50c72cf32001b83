import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

/** A recorded answer, and what it has to be taken for. */
export const ErrorFixture = z.object({
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.unknown(),
  expect: z.looseObject({ kind: z.string() }),
});
export type ErrorFixture = z.infer<typeof ErrorFixture>;

/** All answers of a folder of `test/fixtures`, by name; `text` is the body as it is sent. */
export function readFixtures(folder: string): Map<string, ErrorFixture & { text: string }> {
  const directory = new URL(`../../fixtures/${folder}/`, import.meta.url);
  return new Map(
    readdirSync(directory).map((file) => {
      const fixture = ErrorFixture.parse(
        JSON.parse(readFileSync(new URL(file, directory), "utf8")),
      );
      const { body } = fixture;
      const text = typeof body === "string" ? body : JSON.stringify(body);
      return [file.replace(".json", ""), { ...fixture, text }];
    }),
  );
}

/** What a fixture expects; null there means that the error says nothing of it. */
export function expectedOf({ expect }: ErrorFixture): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(expect).map(([key, value]) => [key, value ?? undefined]),
  );
}
