/** Names in lower case, so that one that is sent besides another replaces it. */
export function lowerCased(headers: RequestInit["headers"] = {}): Record<string, string> {
  // Asking for `Headers` loads Node's own fetch: not where a plain object came.
  const fields = Symbol.iterator in headers ? [...new Headers(headers)] : Object.entries(headers);
  const lowered: Record<string, string> = {};
  for (const [name, value] of fields) if (value !== undefined) lowered[name.toLowerCase()] = value;
  return lowered;
}
