/** Meaningless bytes that make an image file as large as real ones are. */
export interface Padding {
  /** Bytes that are missing from the wanted size when the file is made of these parts; never negative. */
  missingFrom(parts: readonly Uint8Array[]): number;
  /** That many bytes. They do not compress, and are the same each time. */
  take(count: number): Uint8Array;
}

/** Grows to the largest padding that was ever asked for; every image takes its bytes from here. */
let noise = new Uint8Array(0);

function makeNoise(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  let state = 0x9e3779b9;
  for (let at = 0; at < count; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state;
  }
  return bytes;
}

/** Padding up to a file of `imageBytes`; 0 pads nothing. */
export function paddingTo(imageBytes: number): Padding {
  return {
    missingFrom: (parts) =>
      Math.max(
        0,
        parts.reduce((left, part) => left - part.length, imageBytes),
      ),
    take: (count) => {
      if (noise.length < count) noise = makeNoise(count);
      return noise.subarray(0, count);
    },
  };
}
