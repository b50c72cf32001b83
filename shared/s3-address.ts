import { hash } from "node:crypto";
import type { S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";

/** What of a request of the SDK says where it goes. */
const Address = z.object({
  protocol: z.string(),
  hostname: z.string(),
  port: z.int().optional(),
});

/**
 * Watches where a client's requests go, which options, environment, profile and region decide together. The function that it
 * gives tells a short hash of that; undefined before the first request.
 */
export function watchAddress(client: S3Client): () => string | undefined {
  let known: string | undefined;
  client.middlewareStack.add(
    (next) => async (args) => {
      known ??= hashOf(args.request);
      return await next(args);
    },
    { step: "build" },
  );
  return () => known;
}

function hashOf(request: unknown): string {
  const { protocol, hostname, port = "" } = Address.parse(request);
  return hash("sha256", `${protocol}//${hostname}:${port}`, "hex").slice(0, 8);
}
