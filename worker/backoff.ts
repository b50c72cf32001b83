const baseMs = 1_000;
const capMs = 60_000;

/**
 * How long to wait before try `tries` + 1: doubles from 1 s to 60 s, less up to a half by chance, so that prompts that
 * failed together do not come back together.
 */
export function backoffMs(tries: number, random: () => number = Math.random): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.max(0, tries - 1));
  return Math.round(full * (0.5 + random() / 2));
}
