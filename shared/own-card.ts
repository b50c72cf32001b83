import type { z } from "zod";
import type { ModelCard } from "./model-registry.ts";

/** What of a model of one's own is known without asking it for an image. */
export interface OwnModel {
  readonly maxGenerationsPerCall: number;
  readonly maxPromptChars: number | null;
  readonly parameters: z.ZodObject;
  takesSeed(): boolean;
}

/** The card of a model of one's own: what the registry says of others, it says itself. It has no price. */
export function ownCard(kind: string, id: string, model: OwnModel): ModelCard {
  const { maxGenerationsPerCall, maxPromptChars, parameters } = model;
  return {
    kind,
    id,
    known: true,
    maxGenerationsPerCall,
    maxPromptChars,
    takesSeed: model.takesSeed(),
    answers: "base64",
    schema: parameters,
  };
}
