import type { ObjectStore } from "./object-store.ts";

/**
 * Puts bytes that stand under a name once more, on conditions that do not hold. Gives the condition that the store ignores;
 * undefined where it knows both.
 */
export async function ignoredCondition(
  store: ObjectStore,
  name: string,
  bytes: Uint8Array,
): Promise<"If-None-Match" | "If-Match" | undefined> {
  if ((await store.put(name, bytes, "absent")) !== undefined) return "If-None-Match";
  if ((await store.put(name, bytes, { tag: '"0"' })) !== undefined) return "If-Match";
  return undefined;
}
