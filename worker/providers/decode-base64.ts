import type { AnswerBytes } from "./answer-bytes.ts";

/**
 * Decodes base64 with or without padding, line ends and a `data:` prefix. Node skips what is not base64 in silence, so the
 * length tells whether all of it was; undefined where it was not.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const body = text.startsWith("data:") ? text.slice(text.indexOf(",") + 1) : text;
  const bytes = Buffer.from(body, "base64");
  if (bytes.length === decodedLength(body)) return bytes;
  const bare = body.replaceAll(/\s+/g, "");
  return bytes.length === decodedLength(bare) ? bytes : undefined;
}

/**
 * Decodes base64 that stands from `from` to before `to`, piece by piece: one string of all of it would be a copy more, and one
 * that no cache of the processor holds. Undefined where it is anything but plain base64.
 */
export function decodeBase64Between(
  bytes: AnswerBytes,
  from: number,
  to: number,
): Buffer | undefined {
  const size = decodedLength(bytes.text(Math.max(from, to - 2), to), to - from);
  const decoded = Buffer.allocUnsafeSlow(size);
  let length = 0;
  const write = (base64: string) => (length += decoded.write(base64, length, "base64"));
  // Four characters are three bytes: what is left of a piece goes with the next one.
  let left = "";
  for (const piece of bytes.between(from, to)) {
    const missing = Math.min((4 - left.length) % 4, piece.length);
    left += piece.toString("latin1", 0, missing);
    if (left.length % 4 !== 0) continue;
    const end = piece.length - ((piece.length - missing) % 4);
    if (left !== "") write(left);
    write(piece.toString("latin1", missing, end));
    left = piece.toString("latin1", end);
  }
  write(left);
  return length === size ? decoded : undefined;
}

/** @param chars of which `base64` is the end */
function decodedLength(base64: string, chars: number = base64.length): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return Math.floor(((chars - padding) * 3) / 4);
}
