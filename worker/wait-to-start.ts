import type { Permit } from "./limiter.ts";
import type { AnyWork } from "./work.ts";

/**
 * Waits until the lane and its pace let a call for so many images start.
 * @throws HandBack, RunCancelled as the gate does
 */
export async function waitToStart({ lane, data }: AnyWork, images: number): Promise<Permit> {
  const { gate, limiter } = lane;
  for (;;) {
    await gate.enter(data.run);
    let permit: Permit | undefined;
    try {
      permit = await limiter.enter(images, () => gate.mayStart(data.run));
    } finally {
      // Where the call would have been a probe, it probes nothing.
      if (!permit) gate.health.abandoned();
    }
    if (permit) return permit;
  }
}
