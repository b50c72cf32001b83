import { createHash } from "node:crypto";
import type { ProfileIdentity } from "./profile.ts";

/**
 * The name of the lane of one profile and model, and of its BullMQ queue. Its braces are the Redis Cluster hash tag
 * that keeps all keys of a lane on one node.
 */
export function laneName(profile: ProfileIdentity, model: string): string {
  const plain = model.replaceAll(/[^A-Za-z0-9._-]+/g, "-").slice(0, 60);
  const mark =
    plain === model ? "" : `-${createHash("sha256").update(model).digest("hex").slice(0, 6)}`;
  return `{${profile.name}-${profile.hash}-${plain}${mark}}`;
}
