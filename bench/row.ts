/** How a row is to be run. */
export interface RowOptions {
  /** How often baseline and imagemill run, one after the other. */
  rounds: number;
  /** A fraction of the work, to see that a row works; its numbers mean little. */
  short: boolean;
}

/** One number that a row is about. */
export interface Measure {
  name: string;
  unit: string;
  /** One a round. */
  baseline: number[];
  /** One a round. */
  imagemill: number[];
  /** Of the medians. */
  ratio: number;
  target: string;
  reached: boolean;
}

/** One row of the table: a kind of work, and what it is compared with. */
export interface Row {
  name: string;
  what: string;
  baseline: string;
  run(options: RowOptions): Promise<Measure[]>;
}

/** The middle of the values; of an even number the mean of both in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) throw new Error("Expected at least one value");
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Puts the ratio of the medians beside the numbers. */
export function compare(
  numbers: Pick<Measure, "name" | "unit" | "baseline" | "imagemill">,
  target: string,
  isReached: (ratio: number) => boolean,
): Measure {
  const ratio = median(numbers.imagemill) / median(numbers.baseline);
  return { ...numbers, ratio, target, reached: isReached(ratio) };
}

/** Runs both in turn, so that a machine that grows slower or faster is not unfair to one of them. */
export async function alternate<B, M>(
  rounds: number,
  baseline: () => Promise<B>,
  imagemill: () => Promise<M>,
): Promise<{ baseline: B[]; imagemill: M[] }> {
  const ends: { baseline: B[]; imagemill: M[] } = { baseline: [], imagemill: [] };
  for (let round = 0; round < rounds; round++) {
    ends.baseline.push(await baseline());
    ends.imagemill.push(await imagemill());
  }
  return ends;
}
