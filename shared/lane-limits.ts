import { z } from "zod";

/** Limits of a lane that people or providers give; all its workers together stay below them. */
export const LaneLimits = z.object({
  /** Images asked for in a minute. */
  imagesPerMinute: z.number().positive().optional(),
  /** Calls made in a minute. */
  requestsPerMinute: z.number().positive().optional(),
  /** Tokens that calls take in a minute, of prompts and images together, as answers tell them. */
  tokensPerMinute: z.number().positive().optional(),
});
export type LaneLimits = z.infer<typeof LaneLimits>;

/** The lower of each limit. */
export function lowestLimits(limits: readonly (LaneLimits | undefined)[]): LaneLimits {
  const lowest: LaneLimits = {};
  for (const name of LaneLimits.keyof().options) {
    const least = Math.min(...limits.map((one) => one?.[name] ?? Infinity));
    if (Number.isFinite(least)) lowest[name] = least;
  }
  return lowest;
}
