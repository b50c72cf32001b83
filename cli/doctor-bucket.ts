import { randomUUID } from "node:crypto";
import type { PlaceAccess } from "../producer/open-place.ts";
import { messageOf } from "../shared/caught.ts";
import type { ObjectStore } from "../shared/object-store.ts";
import { openStore } from "../shared/open-store.ts";
import { ignoredCondition } from "../shared/store-conditions.ts";
import type { Check } from "./check.ts";

/** Writes, reads, lists and removes an object at an `s3://` location, and looks whether conditions are kept there. */
export async function checkBucket(out: string, { s3 }: PlaceAccess): Promise<Check> {
  const name = "output";
  try {
    const ignored = await tryOut(await openStore(out, s3));
    if (ignored === undefined)
      return { name, ok: true, detail: `${out}: can be written, read, listed and removed from` };
    const detail = `${out}: the storage ignores ${ignored}, so images could overwrite each other`;
    return { name, ok: false, detail, fix: "give another --out" };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error), fix: "mend it, or give another --out" };
  }
}

async function tryOut(store: ObjectStore): Promise<string | undefined> {
  const object = `.imagemill-doctor-${randomUUID()}`;
  const bytes = Buffer.from("imagemill");
  try {
    await store.put(object, bytes, "absent");
    return await tryWith(store, object, bytes);
  } finally {
    store.close();
  }
}

/** The object is there, and is removed in the end. */
async function tryWith(
  store: ObjectStore,
  object: string,
  bytes: Buffer,
): Promise<string | undefined> {
  try {
    const ignored = await ignoredCondition(store, object, bytes);
    const listed = await Array.fromAsync(store.list(object));
    const isRead = (await store.get(object))?.bytes.equals(bytes) === true && listed.length === 1;
    if (!isRead) throw new Error(`${store.location}: what was written was not found again`);
    return ignored;
  } finally {
    await store.remove(object);
  }
}
