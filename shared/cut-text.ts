/** The first characters of a text, as JavaScript counts them; one that is a pair of surrogates is not cut in two. */
export function cutText(text: string, most: number): string {
  return text.slice(0, most).replace(/[\ud800-\udbff]$/, "");
}
