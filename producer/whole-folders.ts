import { z } from "zod";
import { parseJson } from "../shared/parse-json.ts";
import type { StateFiles } from "../shared/state-files.ts";

const fileName = "whole-folders.json";
const VERSION = 1;

const WholeFoldersFile = z.object({
  v: z.literal(VERSION),
  folders: z.record(z.string(), z.string()),
});

/**
 * Folders of images in which nothing was missing when they were listed last, each with what it then was. A file that is torn,
 * or of another version, counts as none: it only saves listing a folder once more.
 */
export class WholeFolders {
  readonly #state: StateFiles;
  readonly #folders: Map<string, string>;
  #isChanged = false;

  private constructor(state: StateFiles, folders: Map<string, string>) {
    this.#state = state;
    this.#folders = folders;
  }

  static async read(state: StateFiles): Promise<WholeFolders> {
    const text = await state.read(fileName);
    const file = text === undefined ? undefined : parseJson(WholeFoldersFile, text);
    return new WholeFolders(state, new Map(Object.entries(file?.folders ?? {})));
  }

  /** Whether the folder was whole when it was exactly this. */
  has(folder: string, was: string): boolean {
    return this.#folders.get(folder) === was;
  }

  add(folder: string, was: string): void {
    this.#folders.set(folder, was);
    this.#isChanged = true;
  }

  delete(folder: string): void {
    if (this.#folders.delete(folder)) this.#isChanged = true;
  }

  /** Keeps what was learned, if anything was. */
  async write(): Promise<void> {
    if (!this.#isChanged) return;
    const file = { v: VERSION, folders: Object.fromEntries(this.#folders) };
    await this.#state.write(fileName, `${JSON.stringify(file)}\n`);
    this.#isChanged = false;
  }
}
