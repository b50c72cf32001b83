import { constants } from "node:fs";
import { copyFile, link, mkdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "../../shared/caught.ts";
import { listIfThere } from "../../shared/list-if-there.ts";
import { ExportStopped } from "./export-stopped.ts";

/** What the system says where two names cannot stand for one file: other disks, no such feature, too many names. */
const cannotLink = ["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** The image files of a run. */
export class ImageFiles {
  readonly #directory: string;
  /** The folder that was listed last: images are asked for in their order, 1,000 prompts a folder. */
  #listed: { folder: string; names: ReadonlySet<string> } | undefined;
  #made = "";

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether an image is there, by the listing of its folder. */
  async has(file: string): Promise<boolean> {
    const folder = dirname(file);
    if (this.#listed?.folder !== folder)
      this.#listed = {
        folder,
        names: new Set(await listIfThere(join(this.#directory, folder))),
      };
    return this.#listed.names.has(file.slice(folder.length + 1));
  }

  /** @throws ExportStopped where it is gone or not as long as it was */
  async read(file: string, bytes: number): Promise<Uint8Array> {
    const content = await this.#found(file, () => readFile(join(this.#directory, file)));
    if (content.length === bytes) return content;
    throw new ExportStopped(
      `${join(this.#directory, file)} is damaged: expected ${bytes} bytes, got ${content.length}. ` +
        `Remove it, then \`imagemill resume ${this.#directory}\` makes it again`,
    );
  }

  /**
   * Puts an image below another folder: as a second name of the same file where the system can do that, else as a copy.
   * One that is there stays. @throws ExportStopped where the image is gone
   */
  async place(file: string, folder: string): Promise<void> {
    const [from, to] = [join(this.#directory, file), join(folder, file)];
    if (this.#made !== dirname(to)) {
      await mkdir(dirname(to), { recursive: true });
      this.#made = dirname(to);
    }
    try {
      await this.#found(file, () => link(from, to));
    } catch (error) {
      if (hasCode(error, "EEXIST")) return;
      if (!cannotLink.some((code) => hasCode(error, code))) throw error;
      await this.#found(file, () => copyFile(from, `${to}.new`, constants.COPYFILE_FICLONE));
      await rename(`${to}.new`, to);
    }
  }

  async #found<Value>(file: string, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
      throw imagesGone(this.#directory, 1, file, error);
    }
  }
}

/** What is thrown where files of images are gone from a run directory. */
export function imagesGone(
  directory: string,
  count: number,
  first: string,
  cause?: unknown,
): ExportStopped {
  const which = count === 1 ? `${first} is gone` : `${count} images are gone, the first ${first},`;
  return new ExportStopped(
    `${which} from ${directory}: \`imagemill resume ${directory}\` makes again what is gone`,
    { cause },
  );
}
