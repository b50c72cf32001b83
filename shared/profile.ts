import { createHash } from "node:crypto";
import { z } from "zod";

/** The API that a provider speaks. */
export const ProviderKind = z.enum(["openai", "huggingface"]);
export type ProviderKind = z.infer<typeof ProviderKind>;

/** How a worker reaches a provider. Stays in the process: keys and base URLs never enter Redis or a file. */
export interface Profile {
  name: string;
  kind: ProviderKind;
  /** Undefined: the provider's own public host. */
  baseUrl?: string | undefined;
  apiKey?: string | undefined;
  /** The environment variable that the key was read from, for messages. */
  keyVariable: string;
  /** Hosts that images at URLs may come from though they are private or speak plain http, besides the base URL's own. */
  imageHosts?: readonly string[] | undefined;
  /** What the hash is made of instead of the base URL, where that changes at each start (the private simulator). */
  identity?: string | undefined;
}

/** A profile as others may know it. */
export interface ProfileIdentity {
  name: string;
  kind: ProviderKind;
  hash: string;
}

/** The public part of a profile: its name, kind and a short hash of its effective base URL. */
export function profileIdentity(profile: Profile): ProfileIdentity {
  const effective =
    profile.identity ?? (profile.baseUrl ?? `public:${profile.kind}`).replace(/\/+$/, "");
  const hash = createHash("sha256").update(effective).digest("hex").slice(0, 8);
  return { name: profile.name, kind: profile.kind, hash };
}

/** Whether a profile is the provider's own service, and neither a server of one's own nor the simulator. */
export function isPublicHost({ baseUrl, identity }: Profile): boolean {
  return baseUrl === undefined && identity === undefined;
}
