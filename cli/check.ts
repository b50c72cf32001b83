/** One thing that was looked at before or instead of a run. Holds no secret. */
export interface Check {
  name: string;
  /** `warning`: runs work, but something will be missed. */
  ok: boolean | "warning";
  /** What was found. */
  detail: string;
  /** What to do about it. */
  fix?: string;
}
