/** A picture before it is encoded: one palette index per pixel, rows from the top, at most 256 colours. */
export interface Canvas {
  width: number;
  height: number;
  pixels: Uint8Array;
  /** Red, green, blue of each colour, one after the other. */
  palette: Uint8Array;
}
