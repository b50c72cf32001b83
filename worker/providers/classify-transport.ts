import { messageOf } from "../../shared/caught.ts";
import { ProviderError } from "../../shared/failure.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";
import { TooLargeError } from "./answer-reader.ts";
import type { Progress } from "./http-exchange.ts";
import { NonPublicAddressError } from "./public-address.ts";

/** The code with which a call ends whose model was unloaded. */
export const unloadedCode = "UND_ERR_DESTROYED";

/** What a code of Node's or undici's means in words, and which kind of failure it is. */
const codes: Record<
  string,
  {
    kind: "unavailable" | "timeout" | "bad_response" | "invalid_request" | "internal";
    words: string;
  }
> = {
  ECONNREFUSED: { kind: "unavailable", words: "the connection was refused" },
  ENOTFOUND: { kind: "unavailable", words: "its host name was not found" },
  EAI_AGAIN: { kind: "unavailable", words: "its host name could not be looked up" },
  EHOSTUNREACH: { kind: "unavailable", words: "its host cannot be reached" },
  ENETUNREACH: { kind: "unavailable", words: "its network cannot be reached" },
  ECONNRESET: { kind: "unavailable", words: "the connection was reset" },
  EPIPE: { kind: "unavailable", words: "the connection was closed" },
  UND_ERR_SOCKET: {
    kind: "unavailable",
    words: "the connection was closed before the answer was whole",
  },
  UND_ERR_CONNECT_TIMEOUT: { kind: "timeout", words: "no connection in time" },
  // Nothing that can be tried again: whoever unloads a model wants no more of it.
  [unloadedCode]: { kind: "internal", words: "the model was unloaded during the call" },
  ETIMEDOUT: { kind: "timeout", words: "the connection timed out" },
  UND_ERR_HEADERS_TIMEOUT: { kind: "timeout", words: "no answer in time" },
  UND_ERR_BODY_TIMEOUT: { kind: "timeout", words: "the answer stopped arriving" },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: {
    kind: "bad_response",
    words: "the answer is not as long as announced",
  },
  UND_ERR_HEADERS_OVERFLOW: {
    kind: "bad_response",
    words: "the headers of the answer are too large",
  },
  ERR_BUFFER_TOO_LARGE: { kind: "bad_response", words: "the answer is too large when unpacked" },
  ERR_STRING_TOO_LONG: { kind: "bad_response", words: "the answer is too large to be read" },
  UND_ERR_INVALID_ARG: { kind: "invalid_request", words: "the request cannot be sent" },
  ERR_INVALID_URL: { kind: "invalid_request", words: "the base URL is not a URL" },
};

/** Codes with which a connection fails before anything was sent on it. */
const beforeSending = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ERR_INVALID_URL",
]);

/**
 * The error that a failed exchange stands for. `sent` is false only where it is certain that nothing went out.
 * @param progress of the exchange, where it is known
 */
export function classifyTransport(
  error: unknown,
  secrets: Secrets,
  progress?: Progress,
): ProviderError {
  const cause = findCause(error);
  const code = codeOf(cause);
  const phase = progress?.phase;
  const sent =
    phase === "fetching the images" || (phase !== "connecting" && !beforeSending.has(code));
  const details = { code: code || undefined, sent, cause };
  if (cause instanceof TooLargeError || cause instanceof NonPublicAddressError)
    return new ProviderError("bad_response", cause.message, details);
  if (cause instanceof SyntaxError) {
    return new ProviderError(
      "bad_response",
      "the answer is not the JSON that its content type says",
      details,
    );
  }
  const known =
    codes[code] ?? (code.startsWith("HPE_") || code.startsWith("Z_") ? brokenHttp : undefined);
  if (known) return new ProviderError(known.kind, `provider: ${known.words} (${code})`, details);
  const words = safeMessage(messageOf(cause), secrets);
  return new ProviderError("unavailable", `provider: ${words}${code ? ` (${code})` : ""}`, details);
}

const brokenHttp = { kind: "bad_response", words: "the answer is not proper HTTP" } as const;

/** The innermost error that says something: official clients and fetch wrap the transport's own. */
function findCause(error: unknown): unknown {
  let found = error;
  for (let depth = 0; depth < 8 && codeOf(found) === ""; depth++) {
    const inner = found instanceof AggregateError ? (found.errors as unknown[])[0] : causeOf(found);
    if (inner === undefined || inner === null) break;
    found = inner;
  }
  return found;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
