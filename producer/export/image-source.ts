import { ExportStopped } from "./export-stopped.ts";

/** The image files of a run, wherever it is kept. Files are named relative to its location. */
export interface ImageSource {
  /** Whether an image is there, by the listing of its folder. */
  has(file: string): Promise<boolean>;
  /** @throws ExportStopped where it is gone or not as long as it was */
  read(file: string, bytes: number): Promise<Uint8Array>;
  /**
   * Puts an image below a local folder, as a whole or not at all. One that is there stays.
   * @throws ExportStopped where the image is gone
   */
  place(file: string, bytes: number, folder: string): Promise<void>;
}

/** What is thrown where images are gone from a run. */
export function imagesGone(
  location: string,
  count: number,
  first: string,
  cause?: unknown,
): ExportStopped {
  const which = count === 1 ? `${first} is gone` : `${count} images are gone, the first ${first},`;
  return new ExportStopped(
    `${which} from ${location}: \`imagemill resume ${location}\` makes again what is gone`,
    { cause },
  );
}

/** What is thrown where an image is not as long as it was. */
export function imageDamaged(
  location: string,
  file: string,
  expected: number,
  got: number,
): ExportStopped {
  return new ExportStopped(
    `${location}/${file} is damaged: expected ${expected} bytes, got ${got}. ` +
      `Remove it, then \`imagemill resume ${location}\` makes it again`,
  );
}
