import { cutText } from "../../shared/cut-text.ts";
import { decodePart } from "./split-url.ts";

/** What must never be seen in a message. */
export interface Secrets {
  apiKey?: string | undefined;
  baseUrl?: string | undefined;
  /** Headers that are sent: those named after a key, a token or the like hold one. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Longest message that is kept, in characters. */
const maxMessageChars = 2000;

/**
 * Makes a text that came from outside fit to store and to show: keys, passwords and the base URL are masked, whatever they
 * belong to, it is cut at `maxChars`, 2,000 by default, and halves of characters, which other readers of JSON refuse, are
 * replaced.
 */
export function safeMessage(
  text: string,
  secrets: Secrets = {},
  maxChars: number = maxMessageChars,
): string {
  const safe = withoutSecrets(text, secrets);
  const short = safe.length > maxChars ? `${cutText(safe, maxChars - 1)}…` : safe;
  return short.toWellFormed();
}

/** Masks the secrets in a text of any length. */
export function withoutSecrets(text: string, secrets: Secrets): string {
  const { own, address } = masksOf(secrets);
  let safe = text;
  for (const { pattern, mask } of own) safe = safe.replaceAll(pattern, mask);
  safe = safe.replaceAll(/\b(Bearer|Basic)\s+(?!\[)[^\s"',}\\]+/gi, "$1 [key]");
  safe = safe.replaceAll(/\b(sk|hf|rk|pk)[-_][\w*.-]{4,}/g, "$1-[key]");
  for (const { pattern, mask } of address) safe = safe.replaceAll(pattern, mask);
  return safe;
}

interface Mask {
  pattern: string | RegExp;
  mask: string;
}

interface Masks {
  /** Secrets as such. */
  own: Mask[];
  /** The base URL, whatever it holds. */
  address: Mask[];
}

/** Every answer is looked through, and a process knows few secrets: what to look for is worked out once. */
const known = new Map<string, Masks>();
const mostKnown = 100;

function masksOf({ apiKey = "", baseUrl = "", headers = {} }: Secrets): Masks {
  const name = JSON.stringify([apiKey, baseUrl, headers]);
  const found = known.get(name);
  if (found) return found;
  const keys = [...(apiKey === "" ? [] : [apiKey]), ...headerSecrets(headers)].flatMap(formsOf);
  const secrets = addressSecrets(baseUrl).flatMap(formsOf);
  const masks = {
    own: [
      ...keys.map((form) => ({ pattern: form, mask: "[key]" })),
      ...secrets.map((form) => ({ pattern: secretPattern(form), mask: "[secret]" })),
    ],
    address: addressParts(baseUrl).map((part) => ({
      pattern: new RegExp(`(?<![\\w.-])${escapePattern(part)}(?![\\w-])`, "gi"),
      mask: "[base URL]",
    })),
  };
  if (known.size >= mostKnown) known.clear();
  known.set(name, masks);
  return masks;
}

function secretPattern(form: string): RegExp {
  const escaped = escapePattern(form);
  return new RegExp(form.length < shortSecretChars ? `(?<!\\w)${escaped}(?!\\w)` : escaped, "g");
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

/** The values of headers that hold a key, also without a scheme such as `Bearer` before them. */
function headerSecrets(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers)
    .filter(([name]) => /auth|cookie|key|pass|secret|token/i.test(name))
    .flatMap(([, value]) => [value, value.trim().split(/\s+/).at(-1)!])
    .filter(({ length }) => length >= minSecretChars);
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
