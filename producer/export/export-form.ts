import type { RunFile } from "../../shared/run-file.ts";
import type { CardForm } from "../outputs/dataset-card.ts";
import type { ImageSource } from "./image-source.ts";
import type { SpooledImages } from "./spool-images.ts";

/** An export that is under way. */
export interface ExportJob {
  run: RunFile;
  /** Where its files go. */
  folder: string;
  images: SpooledImages;
  files: ImageSource;
  /** Told of each image that is exported. */
  onImage: (bytes: number) => void;
}

/** A form that images can be exported in. */
export interface ExportForm {
  /** Writes everything but the card. What an earlier try has written whole may be kept. */
  write(job: ExportJob): Promise<void>;
  /** The columns that a reader sees. */
  columns(images: SpooledImages): ReadonlyMap<string, string>;
  card(images: SpooledImages): CardForm;
  /** What a person should know of the files. */
  note?(images: SpooledImages): string | undefined;
}
