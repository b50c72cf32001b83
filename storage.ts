// `imagemill/storage`: where images go, and what a storage of one's own has to be.
export { localStorage } from "./shared/local-storage.ts";
export { imagePath, StorageError, type ImageStorage } from "./shared/storage.ts";
export type { OpenStorage } from "./worker/run-contexts.ts";
