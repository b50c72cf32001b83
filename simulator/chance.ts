/** A number from 0 up to 1 that depends on nothing but its arguments, evenly spread. */
export function chance(seed: number, ...salts: number[]): number {
  let state = seed | 0;
  for (const salt of [0, ...salts]) {
    state = Math.imul(state ^ salt ^ (state >>> 16), 0x45d9f3b) + 0x9e3779b9;
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state ^= state >>> 12;
  }
  state = Math.imul(state ^ (state >>> 15), 0x297a2d39);
  return ((state ^ (state >>> 15)) >>> 0) / 0x1_0000_0000;
}
