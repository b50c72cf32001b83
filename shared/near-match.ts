/** Edit distance of two strings, counting a swap of neighbours as one step. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      }
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The candidate that `word` was most likely meant to be, or undefined where none is near. Case is ignored. */
export function nearMatch(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const lower = candidate.toLowerCase();
    // No distance is smaller than this, and to find it out takes time and memory by both lengths.
    if (Math.abs(lower.length - wanted.length) >= bestDistance) continue;
    const steps = distance(wanted, lower);
    if (steps < bestDistance) {
      best = candidate;
      bestDistance = steps;
    }
  }
  return best;
}

/** `, did you mean \`x\`?` for an error message, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const match = nearMatch(word, candidates);
  return match === undefined ? "" : `, did you mean \`${match}\`?`;
}

/** `unknown model \`x\`, did you mean \`y\`? Known: …` */
export function unknownName(what: string, word: string, known: readonly string[]): string {
  const hint = didYouMean(word, known) || ".";
  return `unknown ${what} \`${word}\`${hint} Known: ${known.join(", ")}`;
}
