import type { ModelCard } from "../shared/model-registry.ts";
import { isPublicHost, type Profile } from "../shared/profile.ts";
import { plural } from "../shared/quantity.ts";

/** A model that ends within so many days is warned of. */
const soonDays = 45;
const dayMs = 86_400_000;

/** What was told of a model, which then is not assumed. */
export interface ToldOfModel {
  maxGenerationsPerCall?: number | undefined;
  pricePerImageUsd?: number | null | undefined;
}

/** What a person should know of the model before the first call. `today` is YYYY-MM-DD. */
export function modelNotes(
  profile: Profile,
  card: ModelCard,
  today: string,
  told: ToldOfModel,
): string[] {
  const notes: string[] = [];
  if (!card.known) notes.push(unknownNote(card, told));
  const days = card.shutdownOn && (Date.parse(card.shutdownOn) - Date.parse(today)) / dayMs;
  if (isPublicHost(profile) && days && days <= soonDays)
    notes.push(
      `${profile.name} shuts ${card.id} down on ${card.shutdownOn}, in ${plural(days, "day")}`,
    );
  return notes;
}

/** It may be a slip of the pen, whatever was told of it. */
function unknownNote(card: ModelCard, told: ToldOfModel): string {
  // Hugging Face's API makes one image a call: that is known, and no option changes it.
  const isAssumed = card.kind !== "huggingface" && told.maxGenerationsPerCall === undefined;
  const most = isAssumed ? [`${plural(card.maxGenerationsPerCall, "image")} a call`] : [];
  const price = told.pricePerImageUsd == null ? ["no price"] : [];
  const assumed = [...most, ...price];
  const unknown = `${card.id} is not in the list of known models`;
  if (assumed.length === 0) return unknown;
  const options = [...most.map(() => "--max-per-call"), ...price.map(() => "--price-per-image")];
  return `${unknown}: ${assumed.join(" and ")} ${assumed.length > 1 ? "are" : "is"} assumed (${options.join(", ")})`;
}
