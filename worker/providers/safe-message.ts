/** What must never be seen in a message. */
export interface Secrets {
  apiKey?: string | undefined;
  baseUrl?: string | undefined;
}

/** Longest message that is kept, in characters. */
export const maxMessageChars = 2000;

/**
 * Makes a text that came from outside fit to store and to show: keys, passwords and the base URL are masked, whatever they
 * belong to, and it is cut at 2,000 characters.
 */
export function safeMessage(text: string, secrets: Secrets = {}): string {
  const safe = withoutSecrets(text, secrets);
  return safe.length > maxMessageChars ? `${safe.slice(0, maxMessageChars - 1)}…` : safe;
}

/** Masks the secrets in a text of any length. */
export function withoutSecrets(text: string, { apiKey, baseUrl }: Secrets): string {
  let safe = text;
  if (apiKey) for (const form of formsOf(apiKey)) safe = safe.replaceAll(form, "[key]");
  for (const form of addressSecrets(baseUrl).flatMap(formsOf)) {
    const escaped = escapePattern(form);
    const isShort = form.length < shortSecretChars;
    const pattern = isShort ? `(?<!\\w)${escaped}(?!\\w)` : escaped;
    safe = safe.replaceAll(new RegExp(pattern, "g"), "[secret]");
  }
  safe = safe.replaceAll(/\b(Bearer|Basic)\s+(?!\[)[^\s"',}\\]+/gi, "$1 [key]");
  safe = safe.replaceAll(/\b(sk|hf|rk|pk)[-_][\w*.-]{4,}/g, "$1-[key]");
  for (const part of addressParts(baseUrl)) {
    safe = safe.replaceAll(
      new RegExp(`(?<![\\w.-])${escapePattern(part)}(?![\\w-])`, "gi"),
      "[base URL]",
    );
  }
  return safe;
}

/** A secret as it is, and as JSON, URLs and headers write it; the longest first, since one may hold another. */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const base64 = Buffer.from(secret).toString("base64");
  const forms = new Set([secret, json, encodeURIComponent(secret), base64]);
  return [...forms].toSorted((a, b) => b.length - a.length);
}

/** Shorter parts of a base URL are ordinary words more often than secrets. */
const minSecretChars = 4;
/** And below this they may be parts of words that are none. */
const shortSecretChars = 8;

/** User and password in a base URL, also as the header that they become, and the values of its query. */
function addressSecrets(baseUrl: string | undefined): string[] {
  if (!baseUrl || !URL.canParse(baseUrl)) return [];
  const { username, password, searchParams } = new URL(baseUrl);
  const [user, word] = [decodePart(username), decodePart(password)];
  const pair = user || word ? [`${user}:${word}`] : [];
  return [...pair, word, user, ...searchParams.values()].filter(
    ({ length }) => length >= minSecretChars,
  );
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
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
