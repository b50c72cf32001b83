import type { ObjectStore } from "./object-store.ts";
import type { ImageStorage } from "./storage.ts";

/**
 * Images in an S3-compatible storage. Each is put on the condition that none is there: of several that put one at once, the
 * storage lets one through.
 */
export function s3Storage(store: ObjectStore): ImageStorage {
  return {
    put: async (file, bytes, isValid) => {
      for (let tag = await store.put(file, bytes, "absent"); tag === undefined;) {
        const standing = await store.get(file);
        if (standing && isValid(standing.bytes)) return standing.bytes;
        // What is there is no image: it is replaced, unless somebody else was quicker.
        tag = await store.put(file, bytes, standing ? { tag: standing.tag } : "absent");
      }
      return undefined;
    },
    get: async (file) => (await store.get(file))?.bytes,
  };
}
