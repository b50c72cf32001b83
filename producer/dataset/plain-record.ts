/** A record in which a key named `__proto__` is a key like any other. */
export function plainRecord(): Record<string, unknown> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.create is typed as any
  return Object.create(null) as Record<string, unknown>;
}

/** True for an object that is no array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
