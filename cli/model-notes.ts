import type { ModelCard } from "../shared/model-registry.ts";
import { isPublicHost, type Profile } from "../shared/profile.ts";
import { plural } from "../shared/quantity.ts";

/** A model that ends within so many days is warned of. */
const soonDays = 45;
const dayMs = 86_400_000;

/** What a person should know of the model before the first call. `today` is YYYY-MM-DD. */
export function modelNotes(profile: Profile, card: ModelCard, today: string): string[] {
  const notes: string[] = [];
  if (!card.known)
    notes.push(
      `${card.id} is not in the list of known models: ${plural(card.maxGenerationsPerCall, "image")} a call and no price are assumed ` +
        "(--max-per-call, --price-per-image)",
    );
  const days = card.shutdownOn && (Date.parse(card.shutdownOn) - Date.parse(today)) / dayMs;
  if (isPublicHost(profile) && days && days <= soonDays)
    notes.push(
      `${profile.name} shuts ${card.id} down on ${card.shutdownOn}, in ${plural(days, "day")}`,
    );
  return notes;
}
