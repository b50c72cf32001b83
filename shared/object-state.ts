import { growing, listParts, sizeOfParts } from "./numbered-parts.ts";
import type { ObjectStore } from "./object-store.ts";
import { stateFolder, type StateFiles } from "./state-files.ts";

/** The state files of a run that is kept in an object store. */
export function objectState(store: ObjectStore): StateFiles {
  return {
    location: store.location,
    read: async (name) => (await store.get(nameOf(name)))?.bytes.toString("utf8"),
    write: async (name, text) => void (await store.put(nameOf(name), Buffer.from(text))),
    remove: (name) => store.remove(nameOf(name)),
    journalBytes: async () => {
      const { parts } = await listParts(store, growing.journal);
      return sizeOfParts(parts);
    },
  };
}

function nameOf(name: string): string {
  return `${stateFolder}/${name}`;
}
