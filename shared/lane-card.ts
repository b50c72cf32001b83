import { z } from "zod";
import { ProfileIdentity } from "./profile.ts";

/** What the set of lanes says of one: enough for a worker to know whether it can serve it. Later versions only add to it. */
export const LaneCard = z.object({
  v: z.int().min(1),
  profile: ProfileIdentity,
  model: z.string(),
});
export type LaneCard = z.infer<typeof LaneCard>;
