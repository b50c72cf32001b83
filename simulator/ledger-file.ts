import { closeSync, openSync, writeSync } from "node:fs";

/**
 * Appends one JSON line at a time to a file, or nowhere for null. A line is in the file (not yet on the disk) when
 * `append` returns, so that it survives a kill of this process.
 */
export function ledgerFile(path: string | null): { append(line: object): void; close(): void } {
  if (path === null) return { append: () => undefined, close: () => undefined };
  let descriptor: number | undefined = openSync(path, "a");
  return {
    append: (line) => {
      if (descriptor !== undefined) writeSync(descriptor, `${JSON.stringify(line)}\n`);
    },
    close: () => {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}
