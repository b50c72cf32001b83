import type { Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { messageOf } from "../shared/caught.ts";
import { MalformedForm } from "./trouble.ts";

/** Forms are small, and anybody may send one to sign in. */
const mostFormBytes = 64 * 1024;

/** Refuses what is larger than forms are. */
export function limitForms(app: Hono): void {
  const tooLarge = (c: Context) => c.text(`expected at most ${mostFormBytes} bytes\n`, 413);
  app.use(bodyLimit({ maxSize: mostFormBytes, onError: tooLarge }));
}

/** The texts of a form that was sent; files are left out. @throws MalformedForm */
export async function readForm(c: Context): Promise<Map<string, string>> {
  const fields = await c.req.parseBody().catch((error: unknown) => {
    throw new MalformedForm(`expected the fields of a form: ${messageOf(error)}`, { cause: error });
  });
  return new Map(
    Object.entries(fields).flatMap(([name, value]) =>
      typeof value === "string" ? [[name, value] as const] : [],
    ),
  );
}
