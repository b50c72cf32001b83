/** Extensions that an image file may have. */
export const imageExtensions = ["png", "jpg", "webp", "gif"] as const;

/**
 * Where images go. One object per run location; every method may be called concurrently.
 * All methods throw {@link StorageError} when the storage itself is in trouble.
 */
export interface ImageStorage {
  /**
   * Stores an image under `file` (relative to the run's location) as a whole or not at all, never overwriting a valid
   * one: then the bytes that stand there are given back instead of undefined.
   */
  put(
    file: string,
    bytes: Uint8Array,
    isValid: (bytes: Uint8Array) => boolean,
  ): Promise<Uint8Array | undefined>;
  /** The bytes of a file, or undefined where there is none. */
  get(file: string): Promise<Uint8Array | undefined>;
}

/** The storage refused or lost a write or a read: disk full, read-only, permission denied. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}

/**
 * Path of an image without its extension, made from numbers only: `images/00000/00000123-0`. Shards hold 1,000 prompts.
 */
export function imagePath(index: number, generation: number): string {
  const shard = Math.floor(index / 1000);
  return `images/${String(shard).padStart(5, "0")}/${String(index).padStart(8, "0")}-${generation}`;
}

/**
 * What {@link imagePath} makes, with an extension. A run directory may come from anybody: a file that a journal or a result
 * names is read and written under that name.
 */
export const imageFile = /^images\/\d{5,}\/\d{8,}-\d+\.[a-z0-9]{1,5}$/;
