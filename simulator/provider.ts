import type { FaultChooser } from "./faults.ts";
import { faultChooser } from "./faults.ts";
import type { ImageUrls } from "./image-urls.ts";
import { imageUrls } from "./image-urls.ts";
import { Ledger } from "./ledger.ts";
import type { Limits } from "./limits.ts";
import { tokenBuckets } from "./limits.ts";
import type { SimulatorSettings } from "./settings.ts";

/** The state of a simulated provider, which all its APIs share. */
export interface SimulatedProvider {
  settings: SimulatorSettings;
  ledger: Ledger;
  limits: Limits;
  faults: FaultChooser;
  imageUrls: ImageUrls;
  /** When the endpoints that are waking will run, by name; milliseconds since 1970. */
  wakeTimes: Map<string, number>;
  /** The first of `count` seeds that no image had before. */
  newSeeds(count: number): number;
  /** Aborted when the simulator closes. */
  closing: AbortSignal;
}

/** A provider that has not been called yet. */
export function simulatedProvider(
  settings: SimulatorSettings,
  closing: AbortSignal,
): SimulatedProvider {
  let nextSeed = 1_000_000_000;
  return {
    settings,
    ledger: new Ledger(settings),
    limits: tokenBuckets(),
    faults: faultChooser(),
    imageUrls: imageUrls(settings),
    wakeTimes: new Map(),
    newSeeds: (count) => {
      nextSeed += count;
      return nextSeed - count;
    },
    closing,
  };
}
