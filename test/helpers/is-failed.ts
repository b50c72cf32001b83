import type { AttemptRecord } from "../../shared/result.ts";

/** Whether an attempt came to nothing. */
export function isFailed({ outcome }: AttemptRecord): boolean {
  return outcome !== "ok";
}
