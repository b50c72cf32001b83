import { isS3Location } from "../shared/s3-location.ts";
import { plural } from "../shared/quantity.ts";

/** What is known of a run's input once it was read. */
export interface InputRead {
  /** Rows that the run asks for; undefined where that is not known. */
  rows: number | undefined;
  limit: number | null | undefined;
  /** Where standard input was kept by an earlier start of the run, in whose place nothing was read. */
  keptInput: string | undefined;
}

/** What to tell of an input that is empty, or is not the one that was piped in. For people. */
export function inputNotes({ rows, limit, keptInput }: InputRead): string[] {
  const notes: string[] = [];
  if (keptInput !== undefined) {
    const append = isS3Location(keptInput)
      ? ""
      : `append it to ${keptInput} and start this again, or `;
    const known = rows === undefined ? "" : `, ${plural(rows, "row")} of it`;
    notes.push(
      `the run goes on with the input that it was started with${known}: standard input was not read. To give more, ${append}start a new run with another --out`,
    );
  }
  if (rows === 0 && limit !== 0)
    notes.push("the input has no rows: there is nothing to make images of");
  return notes;
}
