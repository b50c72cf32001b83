import { createHash } from "node:crypto";
import { z } from "zod";
import type { LaneLimits } from "./lane-limits.ts";

/** The APIs that are built in. A provider of one's own has a kind of its own. */
export const ProviderKind = z.enum(["openai", "huggingface"]);
export type ProviderKind = z.infer<typeof ProviderKind>;

/** How a worker reaches a provider. Stays in the process: keys and base URLs never enter Redis or a file. */
export interface Profile {
  name: string;
  /** One of {@link ProviderKind}, or that of a provider of one's own. */
  kind: string;
  /** Undefined: the provider's own public host. */
  baseUrl?: string | undefined;
  /** More servers of the same kind, all one lane: a call goes to the one with the fewest in flight. */
  moreBaseUrls?: readonly string[] | undefined;
  apiKey?: string | undefined;
  /** Reads the key again, once the provider has refused it; undefined where there is none. Default: it stays as it is. */
  readKey?: (() => string | undefined) | undefined;
  /** The environment variable that the key was read from, for messages. */
  keyVariable: string;
  /** Hosts that images at URLs may come from though they are private or speak plain http, besides the base URL's own. */
  imageHosts?: readonly string[] | undefined;
  /** What its owner knows of the provider's limits. */
  limits?: LaneLimits | undefined;
  /** What the hash is made of instead of the base URL, where that changes at each start (the private simulator). */
  identity?: string | undefined;
}

/** A profile as others may know it. */
export const ProfileIdentity = z.object({ name: z.string(), kind: z.string(), hash: z.string() });
export type ProfileIdentity = z.infer<typeof ProfileIdentity>;

/** Every base URL of a profile once, in the order in which they were given; one `undefined` for the public host. */
export function baseUrlsOf({
  baseUrl,
  moreBaseUrls = [],
}: Pick<Profile, "baseUrl" | "moreBaseUrls">): (string | undefined)[] {
  const seen = new Map([baseUrl, ...moreBaseUrls].map((url) => [url?.replace(/\/+$/, ""), url]));
  return [...seen.values()];
}

/**
 * The public part of a profile: its name, kind and a short hash of its effective base URLs. Their order and the user and
 * password in them make no difference: who knows one lane by them has to find it again.
 */
export function profileIdentity(profile: Profile): ProfileIdentity {
  const urls = baseUrlsOf(profile).map((url = `public:${profile.kind}`) =>
    url.replace(/\/+$/, "").replace(/^(https?:\/\/)[^/?#]*@/i, "$1"),
  );
  const effective = profile.identity ?? urls.toSorted().join(" ");
  const hash = createHash("sha256").update(effective).digest("hex").slice(0, 8);
  return { name: profile.name, kind: profile.kind, hash };
}

/** Whether a profile is the provider's own service, and neither a server of one's own nor the simulator. */
export function isPublicHost({ baseUrl, identity }: Profile): boolean {
  return baseUrl === undefined && identity === undefined;
}
