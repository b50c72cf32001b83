import { ProviderError } from "../../shared/failure.ts";

/** So many questions in a row may find no answer of something that takes its time: APIs and gateways fail now and then. */
export const mostMisses = 5;

/** Whether the same question may be answered a moment later. */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof ProviderError)) return false;
  return error.kind === "unavailable" || error.kind === "timeout" || error.kind === "rate_limited";
}
