/** Order in which the 64 coefficients of a block are stored: the place in the block of each. */
export const zigzag: readonly number[] = Array.from({ length: 15 }, (_, diagonal) => {
  const cells: number[] = [];
  for (let row = 0; row < 8; row++) {
    const column = diagonal - row;
    if (column >= 0 && column < 8) cells.push(row * 8 + column);
  }
  return diagonal % 2 === 0 ? cells.toReversed() : cells;
}).flat();

/** What coefficients are divided by, in rows: fine for the low frequencies, so that text stays sharp. */
export const quantizer: readonly number[] = Array.from(
  { length: 64 },
  (_, at) => 6 + 2 * (Math.floor(at / 8) + (at % 8)),
);

/** Sizes of a difference of the first coefficient. The code of each is its place in the list, in 4 bits. */
export const dcSymbols: readonly number[] = Array.from({ length: 12 }, (_, size) => size);

/** No more coefficients in this block. */
export const endOfBlock = 0x00;
/** Sixteen zero coefficients. */
export const sixteenZeros = 0xf0;

/** Zeros before a coefficient (high 4 bits) and its size. The code of each is its place in the list, in 8 bits. */
export const acSymbols: readonly number[] = [
  endOfBlock,
  sixteenZeros,
  ...Array.from({ length: 160 }, (_, at) => (Math.floor(at / 10) << 4) | ((at % 10) + 1)),
];
