/** A message without what differs from prompt to prompt. */
export function normalizeMessage(message: string): string {
  return message
    .slice(0, 500)
    .replaceAll(/\b(req|chatcmpl|img)[-_][\w-]+/g, "#")
    .replaceAll(/\b[0-9a-f]{8,}(-[0-9a-f]+)*\b/gi, "#")
    .replaceAll(/\d+(\.\d+)?/g, "#")
    .replaceAll(/(["'`]).{40,}?\1/g, "$1…$1");
}
