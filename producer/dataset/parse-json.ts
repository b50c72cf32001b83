/**
 * Parses JSON without losing digits: a whole number that JavaScript cannot hold exactly, such as a 64-bit id, and one that
 * is too large for it, such as 1e400, become their text.
 * @throws SyntaxError as `JSON.parse`
 */
export function parseJson(text: string): unknown {
  if (!/\d{16}|e\+?\d{3}/i.test(text)) return JSON.parse(text);
  return JSON.parse(text, keepDigits);
}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  if (source === undefined) return value;
  return !Number.isFinite(value) || /^-?\d+$/.test(source) ? source : value;
}
