import { z } from "zod";
import type { PlaceAccess } from "../producer/open-place.ts";
import type { RunPlace } from "../producer/run-place.ts";
import type { RunSettings } from "../producer/run-settings.ts";
import { FailureKind } from "../shared/failure.ts";
import { lowestLimits, type LaneLimits } from "../shared/lane-limits.ts";
import { cardOfRun, findModel, type ModelCard } from "../shared/model-registry.ts";
import { profileIdentity, ProviderKind, type ProfileIdentity } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { WorkerProfile } from "../worker/run-contexts.ts";
import { cardOf, profileOf, type Provider } from "./provider.ts";
import { defaultTimeoutMs, requestShape, settingsOf, type RunRequest } from "./run-request.ts";

/** Which run is meant, and what it is asked for. */
export interface RunTarget extends RunRequest, PlaceAccess {
  /**
   * The run directory: a new or empty folder, or one with a run in it, which is resumed. `s3://bucket/prefix` is one in an
   * S3-compatible storage.
   */
  out: string;
  /**
   * Who makes the images. A producer sends nothing to it: workers do, with keys of their own. Needed for a new run; on resume
   * its name and base URLs have to be the run's, and without it the run is for whichever workers know its provider.
   */
  provider?: Provider | undefined;
  /** Starts a new round that settles failures again: all, or those of these kinds. */
  retry?: "all" | readonly FailureKind[] | undefined;
}

/** The checks of how places are reached. */
export const accessShape = {
  s3: z.record(z.string(), z.unknown()).optional(),
  cacheFolder: z.string().min(1).optional(),
};

/** The checks of a {@link RunTarget} that need nothing else. */
export const targetShape = {
  ...requestShape,
  out: z.string().min(1),
  ...accessShape,
  provider: z.unknown().optional(),
  retry: z.union([z.literal("all"), z.array(FailureKind)]).optional(),
};

/** A run that is asked for, with everything that it needs to be known. */
export interface ResolvedRun {
  /** An absolute path or `s3://bucket/prefix`. */
  out: string;
  place: RunPlace;
  settings: RunSettings;
  retry: { kinds: string[] | null } | undefined;
  passThrough: boolean;
  /** What is known of the model, without the price that the run is told. */
  card: ModelCard;
  /** The same with it. */
  pricedCard: ModelCard;
  /** The lowest of those that the provider's owner and the run give. */
  limits: LaneLimits;
  /** For people: parameters that are sent though the model is not known to take them. */
  warnings: readonly string[];
}

/** Reads what `place` holds and checks what is asked for by it. Writes nothing but rows from code. @throws UsageError */
export async function resolveRun(target: RunTarget, place: RunPlace): Promise<ResolvedRun> {
  const out = place.location;
  const present = await place.readRun();
  const profile = target.provider === undefined ? undefined : profileOf(target.provider);
  const identity = profile ? profileIdentity(profile) : present?.profile;
  const model = target.model ?? present?.model;
  if (identity === undefined) throw new UsageError(`${out} holds no run yet: give \`provider\``);
  if (model === undefined) throw new UsageError(`${out} holds no run yet: give \`model\``);
  const timeoutMs = target.timeoutMs ?? present?.timeoutMs ?? defaultTimeoutMs;
  const card = profile
    ? await cardOf(profile, model, { timeoutMs })
    : findModel(identity.kind, model);
  const passThrough = passesThrough(profile, identity);
  const about = { place, profile: identity, card, passThrough, present };
  const { settings, warnings } = await settingsOf(target, about);
  const { retry } = target;
  return {
    out,
    place,
    settings,
    retry: retry && { kinds: retry === "all" ? null : [...retry] },
    passThrough,
    card,
    pricedCard: cardOfRun(settings, card),
    limits: lowestLimits([profile?.limits, settings.limits]),
    warnings,
  };
}

/** Parameters that a model's schema does not know go to the server as they are only where that is not the provider's own. */
function passesThrough(profile: WorkerProfile | undefined, { hash, ...known }: ProfileIdentity) {
  if (profile) return profile.baseUrl !== undefined;
  // A model of one's own says itself what it takes.
  if (!ProviderKind.safeParse(known.kind).success) return false;
  return profileIdentity({ ...known, keyVariable: "" }).hash !== hash;
}
