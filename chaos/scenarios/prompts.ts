/** Rows of distinct prompts: none is the beginning of another one. */
export function rows(count: number): { prompt: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    prompt: `a picture of number ${index} .`,
  }));
}
