/** Names in lower case, so that one that is sent besides another replaces it. */
export function lowerCased(headers: RequestInit["headers"] = {}): Record<string, string> {
  const isList = headers instanceof Headers || Array.isArray(headers);
  const fields = isList ? [...new Headers(headers)] : Object.entries(headers);
  const lowered: Record<string, string> = {};
  for (const [name, value] of fields) if (value !== undefined) lowered[name.toLowerCase()] = value;
  return lowered;
}
