import { type FileHandle, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stateFolder } from "../../shared/state-files.ts";

/** What is collected before it is written. */
const bufferCharacters = 128 * 1024;

/** A text file that is written line by line. */
export class LineFile {
  readonly #file: FileHandle;
  #pending = "";

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Adds a line, without its line feed; it is written with the next {@link flush}. */
  add(line: string): void {
    this.#pending += `${line}\n`;
  }

  /** Writes what was added, where it is as much as is worth a write. */
  async flushIfMuch(): Promise<void> {
    if (this.#pending.length >= bufferCharacters) await this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "") await this.#file.writeFile(text);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/**
 * Output files of a run directory, written beside its state and moved into place together at the end: a file in place
 * is always a whole one. Disposing drops what was not moved.
 */
export class OutputFiles implements AsyncDisposable {
  readonly #directory: string;
  readonly #names: string[] = [];
  readonly #open = new Set<LineFile>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The path under which an output is written until {@link place}. */
  temporaryPath(name: string): string {
    if (!this.#names.includes(name)) this.#names.push(name);
    return join(this.#directory, stateFolder, `${name}.new`);
  }

  /** Opens an output that is written line by line. */
  async openLines(name: string): Promise<LineFile> {
    const file = new LineFile(await open(this.temporaryPath(name), "w"));
    this.#open.add(file);
    return file;
  }

  /** Writes what was added to the outputs, where it is as much as is worth a write. */
  async flushIfMuch(): Promise<void> {
    for (const file of this.#open) await file.flushIfMuch();
  }

  /** Writes what is left of the outputs that were opened, and closes them. */
  async closeLines(): Promise<void> {
    for (const file of this.#open) {
      await file.flush();
      await file.close();
      this.#open.delete(file);
    }
  }

  async writeText(name: string, content: string): Promise<void> {
    await writeFile(this.temporaryPath(name), content);
  }

  /** Makes every output durable and moves it into place. */
  async place(): Promise<void> {
    await Promise.all(this.#names.map((name) => syncFile(this.temporaryPath(name))));
    for (const name of this.#names.splice(0)) {
      await rename(join(this.#directory, stateFolder, `${name}.new`), join(this.#directory, name));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#open) await file.close();
    for (const name of this.#names) await rm(this.temporaryPath(name), { force: true });
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
