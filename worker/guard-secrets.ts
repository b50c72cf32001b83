import { stackOf } from "../shared/caught.ts";
import { ProviderError } from "../shared/failure.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { ImageGeneration } from "./providers/image-generation.ts";
import { safeMessage, type Secrets } from "./providers/safe-message.ts";

/** Longest id of a request that is kept, in characters. */
const maxIdChars = 200;
/** Longest revised prompt that is kept, in characters: as long as the longest prompt that a known model takes. */
const maxRevisedChars = 32_000;

/**
 * What a model says with its images, without secrets and no longer than it has use: a server may send back whatever it was
 * sent, and all of this goes through Redis.
 */
export function guardAnswer(answer: ImageGeneration, secrets: Secrets): ImageGeneration {
  const { images, requestId, warnings } = answer;
  return {
    ...answer,
    images: images.map((image) => {
      const { revisedPrompt } = image;
      if (revisedPrompt === undefined) return image;
      return { ...image, revisedPrompt: safeMessage(revisedPrompt, secrets, maxRevisedChars) };
    }),
    ...(requestId !== undefined && { requestId: guardId(requestId, secrets) }),
    ...(warnings && { warnings: warnings.map((text) => safeMessage(text, secrets)) }),
  };
}

/**
 * What a model threw, without secrets. An error that is none of a provider's is a bug: its stack is kept, and the error
 * itself, which may hold requests with their headers, is not.
 */
export function guardFailure(error: unknown, secrets: Secrets): ProviderError | UsageError {
  if (error instanceof UsageError) return error;
  if (!(error instanceof ProviderError))
    return new ProviderError("internal", safeMessage(stackOf(error), secrets));
  const { kind, message, code, requestId, cause: _, ...details } = error;
  return new ProviderError(kind, safeMessage(message, secrets), {
    ...details,
    code: code && guardId(code, secrets),
    requestId: requestId && guardId(requestId, secrets),
  });
}

function guardId(id: string, secrets: Secrets): string {
  return safeMessage(id, secrets, maxIdChars);
}
