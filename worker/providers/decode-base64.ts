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

function decodedLength(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return Math.floor(((base64.length - padding) * 3) / 4);
}
