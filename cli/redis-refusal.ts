import { redisMessage } from "../shared/redis-message.ts";
import type { Check } from "./check.ts";

/** What was said that cannot pass by itself, in other words, and what to do about it. */
type Refusal = Pick<Check, "detail" | "fix">;

const passwordFix =
  "set REDIS_PASSWORD or REDIS_PASSWORD_FILE, and REDIS_USERNAME where the user is not `default`";
const certificateFix =
  "name the authority that signed the server's certificate: REDIS_TLS_CA_FILE=/path/ca.pem";

/** By the beginning of an error's message, or by its code. The first that fits counts. */
const refusals: [pattern: RegExp, detail: string, fix: string][] = [
  [
    /^no Sentinel .*(NOAUTH|WRONGPASS|NOPERM)/,
    "has Sentinels with users of their own",
    "set REDIS_SENTINEL_PASSWORD or REDIS_SENTINEL_PASSWORD_FILE, and REDIS_SENTINEL_USERNAME",
  ],
  [
    /Unknown RESP type/,
    "is no Redis: what answers there speaks another protocol",
    "correct host and port in REDIS_URL",
  ],
  [/^NOAUTH/, "asks for a password", passwordFix],
  [/^WRONGPASS|invalid username-password/, "refuses the user name or the password", passwordFix],
  [
    /^NOPERM/,
    "does not let this user do what the queue needs",
    "give the user the commands and keys that docs/redis.md lists (ACL SETUSER)",
  ],
  [
    /^DENIED/,
    "is in protected mode: it has no password and takes only connections from its own machine",
    "give it a password (requirepass), and set REDIS_PASSWORD",
  ],
  [/^READONLY/, "is a replica that takes no writes", "name the master, or use redis+sentinel://"],
  [
    /^(MOVED|CROSSSLOT)|SELECT is not allowed in cluster mode/,
    "is a node of a Redis Cluster",
    "use redis+cluster:// (rediss+cluster:// for TLS)",
  ],
  [/cluster support disabled/, "is no Redis Cluster", "use redis:// (rediss:// for TLS)"],
  [/DB index is out of range/, "does not have that database", "correct the number in REDIS_URL"],
  [
    /No such master|invalid reply: null/,
    "knows no master of that name",
    "correct the name in REDIS_URL: redis+sentinel://host1,host2/NAME/0",
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/,
    "shows a certificate of an authority that is not trusted",
    certificateFix,
  ],
  [/CERT_HAS_EXPIRED/, "shows a certificate that has expired", "renew the server's certificate"],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID/,
    "shows a certificate for another host name",
    "use a name that the certificate holds; Sentinel and Cluster announce names with `announce-hostnames`",
  ],
  [
    /CERTIFICATE_REQUIRED/,
    "asks for a certificate of the client",
    "set REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE",
  ],
];

/**
 * What an error of a connection to Redis means where only a person can mend it; undefined where it may pass by itself,
 * as with a Redis that is away, loading or failing over.
 */
export function refusalOf(error: unknown): Refusal | undefined {
  const text = wholeText(error);
  const found = refusals.find(([pattern]) => text.some((line) => pattern.test(line)));
  if (!found) return undefined;
  const said = text.at(-1)!.replace(/ HELLO must be called .*/s, "");
  return { detail: `${found[1]} (${said})`, fix: found[2] };
}

/** Code and message, also of the error that a Cluster or a Sentinel wraps; of OpenSSL's errors the reason. */
function wholeText(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const inner = "lastNodeError" in error && error.lastNodeError;
  if (inner instanceof Error) return wholeText(inner);
  const code = "code" in error && typeof error.code === "string" ? [error.code] : [];
  const reason = "reason" in error && typeof error.reason === "string" ? error.reason : undefined;
  return [...code, reason ?? redisMessage(error)];
}
