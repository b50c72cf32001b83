import { asError } from "./caught.ts";

/**
 * What an error of a connection to Redis says, with what its parts say: Node's error for a name with several addresses has
 * no text of its own, and a Cluster's or the Sentinels' does not tell what the last one that was asked said.
 */
export function redisMessage(thrown: unknown): string {
  const error = asError(thrown);
  if (error instanceof AggregateError && error.message === "")
    return error.errors.map(redisMessage).join("; ");
  if ("lastNodeError" in error && error.lastNodeError)
    return `no node of the Cluster answers; the last one: ${redisMessage(error.lastNodeError)}`;
  const ofSentinels = /^All sentinels are unreachable.*Last error: (.*)$/s.exec(error.message)?.[1];
  if (ofSentinels !== undefined) return `no Sentinel answers; the last one: ${ofSentinels}`;
  return error.message || error.name;
}
