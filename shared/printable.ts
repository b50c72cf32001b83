/** C0 and C1 controls but for tab and line feed, and what turns the direction of text or ends a line in some programs. */
const unprintable =
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Text for people, as on a terminal: characters that would steer what shows it stand as their escapes, such as `\u001b`.
 * For all text that comes from a provider, a dataset or Redis.
 */
export function printable(text: string): string {
  return text.replaceAll(unprintable, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, "0");
    return `\\u${code}`;
  });
}
