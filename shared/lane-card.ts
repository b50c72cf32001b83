import { z } from "zod";
import { ProviderKind } from "./profile.ts";

/** What the set of lanes says of one: enough for a worker to know whether it can serve it. Later versions only add to it. */
export const LaneCard = z.object({
  v: z.int().min(1),
  profile: z.object({ name: z.string(), kind: ProviderKind, hash: z.string() }),
  model: z.string(),
});
export type LaneCard = z.infer<typeof LaneCard>;
