/** What must never be seen in a message. */
export interface Secrets {
  apiKey?: string | undefined;
  baseUrl?: string | undefined;
}

/** Longest message that is kept, in characters. */
export const maxMessageChars = 2000;

/**
 * Makes a text that came from outside fit to store and to show: keys and the base URL are masked, whatever they belong to,
 * and it is cut at 2,000 characters.
 */
export function safeMessage(text: string, { apiKey, baseUrl }: Secrets = {}): string {
  let safe = text.slice(0, maxMessageChars * 5);
  if (apiKey) safe = safe.replaceAll(apiKey, "[key]");
  safe = safe.replaceAll(/\bBearer\s+[^\s"',}]+/gi, "Bearer [key]");
  safe = safe.replaceAll(/\b(sk|hf|rk|pk)[-_][\w*.-]{4,}/g, "$1-[key]");
  for (const part of addressParts(baseUrl)) {
    safe = safe.replaceAll(
      new RegExp(`(?<![\\w.-])${escapePattern(part)}(?![\\w-])`, "gi"),
      "[base URL]",
    );
  }
  return safe.length > maxMessageChars ? `${safe.slice(0, maxMessageChars - 1)}…` : safe;
}

/** The base URL, its origin and its host, longest first. */
function addressParts(baseUrl: string | undefined): string[] {
  if (!baseUrl || !URL.canParse(baseUrl)) return [];
  const { origin, host, hostname } = new URL(baseUrl);
  return [baseUrl.replace(/\/+$/, ""), origin, host, hostname];
}

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}
