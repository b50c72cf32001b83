/**
 * The first `length` characters as a string of their own. A plain slice would keep the whole text in memory for as long
 * as the slice lives.
 */
export function detached(text: string, length: number): string {
  return text.length <= length ? text : Buffer.from(text.slice(0, length)).toString();
}
