import { constants } from "node:fs";
import { copyFile, link, mkdir, readdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "../../shared/caught.ts";
import { ifThere } from "../../shared/if-there.ts";
import { imageDamaged, imagesGone, type ImageSource } from "./image-source.ts";

/** What the system says where two names cannot stand for one file: other disks, no such feature, too many names. */
const cannotLink = ["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** The image files of a run directory. */
export class FolderImages implements ImageSource {
  readonly #directory: string;
  /** The folder that was listed last: images are asked for in their order, 1,000 prompts a folder. */
  #listed: { folder: string; names: ReadonlySet<string> } | undefined;
  #made = "";

  constructor(directory: string) {
    this.#directory = directory;
  }

  async has(file: string): Promise<boolean> {
    const folder = dirname(file);
    if (this.#listed?.folder !== folder)
      this.#listed = {
        folder,
        names: new Set(await ifThere(readdir(join(this.#directory, folder)))),
      };
    return this.#listed.names.has(file.slice(folder.length + 1));
  }

  async read(file: string, bytes: number): Promise<Uint8Array> {
    const content = await this.#found(file, () => readFile(join(this.#directory, file)));
    if (content.length === bytes) return content;
    throw imageDamaged(this.#directory, file, bytes, content.length);
  }

  /** As a second name of the same file where the system can do that, else as a copy. */
  async place(file: string, _bytes: number, folder: string): Promise<void> {
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
