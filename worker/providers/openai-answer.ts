import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { describeBytes } from "../../shared/describe-bytes.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import { jsonOf } from "../../shared/parse-json.ts";
import type { Usage } from "../../shared/result.ts";
import type { HttpAnswer } from "./answer-reader.ts";
import { findLifted, liftBase64 } from "./lift-base64.ts";
import { readRateLimits } from "./rate-limits.ts";
import { readRequestId } from "./refusal.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";
import type { AnsweredImage } from "./take-images.ts";

/** A number of tokens; an answer with another one tells nothing of its usage, so that no sum of money is made of it. */
const Tokens = z.int().min(0).max(1_000_000_000).nullish();

/** What is used of an answer; servers of many makers send the rest as they like. */
const ImagesAnswer = z.object({
  data: z.array(
    z.object({
      b64_json: z.string().nullish(),
      url: z.string().nullish(),
      revised_prompt: z.string().nullish().catch(null),
      seed: z.int().nullish().catch(null),
    }),
  ),
  usage: z
    .object({
      input_tokens: Tokens,
      output_tokens: Tokens,
      total_tokens: Tokens,
    })
    .nullish()
    .catch(null),
});

/** An answer of the images API, read. */
export interface OpenaiAnswer {
  images: AnsweredImage[];
  usage: Usage | undefined;
  requestId: string | undefined;
  limits: LaneLimits | undefined;
}

/**
 * Reads an answer; JSON is JSON whatever content type it is said to have.
 * @throws ProviderError `bad_response` where there are no images in it
 */
export function readOpenaiAnswer(answer: HttpAnswer, secrets: Secrets): OpenaiAnswer {
  const requestId = readRequestId(answer.headers);
  const limits = readRateLimits(answer.headers);
  const { text, images: lifted } = liftBase64(answer.body);
  const body = jsonOf(text);
  const parsed = ImagesAnswer.safeParse(body);
  if (!parsed.success || parsed.data.data.length === 0) {
    const message = `the answer holds no images: ${describeAnswer(body, answer)}`;
    throw new ProviderError("bad_response", safeMessage(message, secrets), {
      status: answer.status,
      requestId,
    });
  }
  const { data, usage } = parsed.data;
  const images = data.map((item) => ({
    ...(typeof item.b64_json === "string" && imageOf(item.b64_json, lifted)),
    ...(typeof item.url === "string" && { url: item.url }),
    ...(item.revised_prompt && { revisedPrompt: item.revised_prompt }),
    ...(typeof item.seed === "number" && { seed: item.seed }),
  }));
  return { images, usage: usage ? toUsage(usage) : undefined, requestId, limits };
}

function imageOf(value: string, lifted: readonly Buffer[]): AnsweredImage {
  const bytes = findLifted(value, lifted);
  return bytes ? { bytes } : { base64: value };
}

/** The start of a JSON answer, or what another one looks like. */
function describeAnswer(body: unknown, { headers, body: bytes }: HttpAnswer): string {
  if (typeof body === "object" && body !== null) return JSON.stringify(body).slice(0, 300);
  const isSaidToBeJson = /\bjson\b/i.test(headers.get("content-type") ?? "");
  if (body === undefined && isSaidToBeJson && bytes.length > 0)
    return "it is not the JSON that its content type says";
  return `it is ${describeBytes(bytes.whole)}`;
}

function toUsage(usage: NonNullable<z.infer<typeof ImagesAnswer>["usage"]>): Usage {
  return {
    ...(typeof usage.input_tokens === "number" && { inputTokens: usage.input_tokens }),
    ...(typeof usage.output_tokens === "number" && { outputTokens: usage.output_tokens }),
    ...(typeof usage.total_tokens === "number" && { totalTokens: usage.total_tokens }),
  };
}
