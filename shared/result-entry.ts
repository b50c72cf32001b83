const field = "result";

/** The fields of one entry of a run's result stream that holds these results, each as JSON text. */
export function entryOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => [field, text]);
}

/** The results of an entry, as JSON texts, from its fields: each stands behind its field's name. */
export function textsOf(fields: readonly string[]): string[] {
  return fields.filter((_, i) => i % 2 === 1);
}
