import { type FileHandle, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stateFolder } from "../../shared/run-file.ts";

const BUFFER_CHARACTERS = 1024 * 1024;

/** A text file that is written line by line. */
export class LineFile {
  readonly #file: FileHandle;
  #pending: string[] = [];
  #size = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Adds one value as a line of JSON. */
  async writeJson(value: unknown): Promise<void> {
    await this.write(`${JSON.stringify(value)}\n`);
  }

  /** Adds a line that ends in its line feed. */
  async write(line: string): Promise<void> {
    this.#pending.push(line);
    this.#size += line.length;
    if (this.#size >= BUFFER_CHARACTERS) await this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#pending.join("");
    this.#pending = [];
    this.#size = 0;
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
    for (const name of this.#names) {
      const file = await open(this.temporaryPath(name), "r+");
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
    for (const name of this.#names.splice(0)) {
      await rename(join(this.#directory, stateFolder, `${name}.new`), join(this.#directory, name));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#open) await file.close();
    for (const name of this.#names) await rm(this.temporaryPath(name), { force: true });
  }
}
