/**
 * How many characters a text has where they are more than `most`, else undefined. They are counted as providers count them:
 * an emoji is one, though JavaScript's `length` says two.
 */
export function charsBeyond(text: string, most: number | null): number | undefined {
  if (most === null || text.length <= most) return undefined;
  let chars = 0;
  for (const _ of text) chars++;
  return chars > most ? chars : undefined;
}
