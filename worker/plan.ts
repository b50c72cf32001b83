/** Splits generations, in order, into calls of at most `maxPerCall` images. */
export function planCalls(generations: readonly number[], maxPerCall: number): number[][] {
  const calls: number[][] = [];
  for (let first = 0; first < generations.length; first += maxPerCall) {
    calls.push(generations.slice(first, first + maxPerCall));
  }
  return calls;
}
