/** Mixes three integers into a seed of 31 bits: the same every time, spread evenly (the finalizer of splitmix32). */
export function imageSeed(runSeed: number, index: number, generation: number): number {
  let x =
    (runSeed ^ Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(generation + 1, 0x85ebca77)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return ((x ^ (x >>> 15)) >>> 0) & 0x7fffffff;
}
