import { paddingTo } from "../simulator/padding.ts";
import { encodePng } from "../simulator/png.ts";

/** So many PNG images, each of another colour; every second one is large enough to arrive in several parts. */
export function sampleImages(count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const palette = Uint8Array.from([i % 256, (i * 7) % 256, 128]);
    const canvas = { width: 8, height: 8, pixels: new Uint8Array(64), palette };
    return encodePng(canvas, paddingTo(i % 2 === 0 ? 0 : 100_000));
  });
}
