import type { AttemptRecord } from "../shared/result.ts";

function foundNobody({ outcome }: AttemptRecord): boolean {
  return outcome === "unavailable" || outcome === "timeout";
}

/**
 * Whether a prompt has failed while the provider was there for others, or before it was back: that it fails again says little
 * of the provider.
 * @param returnedAt when the provider last came back, in milliseconds since 1970
 */
export function hasFailedAlone(attempts: readonly AttemptRecord[], returnedAt: number): boolean {
  return attempts.some(
    (attempt) => foundNobody(attempt) && (attempt.burned || attempt.endedAt < returnedAt),
  );
}

/** What a provider that is away is measured by. */
export interface Patience {
  /** How often a call is tried. */
  attempts: number;
  /** When the provider was found to be away, in milliseconds since 1970. */
  since: number;
  /** While it is away for shorter than this, it is waited for. */
  patienceMs: number;
}

/**
 * Whether a call that only finds its provider away may as well be given up: the provider took it so many times as a call is
 * tried, and has been away for long. For a lane with nothing else to ask with: its last prompts may be why.
 */
export function isHopeless(
  made: readonly AttemptRecord[],
  { attempts, since, patienceMs }: Patience,
  now = Date.now(),
): boolean {
  if (now - since < patienceMs) return false;
  const taken = made.filter(
    (attempt) =>
      attempt.sent && !attempt.burned && foundNobody(attempt) && attempt.endedAt >= since,
  );
  return taken.length >= attempts;
}
