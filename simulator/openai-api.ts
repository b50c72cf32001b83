import { randomUUID } from "node:crypto";
import type { ProviderCall } from "./call.ts";
import { recipeOf, render } from "./image.ts";
import * as errors from "./openai-errors.ts";
import type { ImagesRequest } from "./openai-request.ts";
import { readImagesRequest } from "./openai-request.ts";
import { priceOf, usageOf } from "./prices.ts";
import type { SimulatedProvider } from "./provider.ts";
import type { Reply } from "./reply.ts";
import { jsonReply } from "./reply.ts";
import { shortDuration } from "./retry-after.ts";

/** What the answer says beside the images: GPT image models tell usage and what they chose for `auto`. */
function details(request: ImagesRequest, images: number): Record<string, unknown> {
  if (!tellsUsage(request)) return {};
  const { format, parameters, quality, width, height } = request;
  return {
    background: parameters["background"] ?? "opaque",
    output_format: format,
    quality: quality === "auto" ? "medium" : quality,
    size: `${width}x${height}`,
    usage: usageOf(request, images),
  };
}

function tellsUsage({ rules }: ImagesRequest): boolean {
  return rules.answers === "b64_only";
}

/** What a request takes of a limit on tokens. */
function tokensOf(request: ImagesRequest): number {
  return tellsUsage(request) ? usageOf(request, request.n).total_tokens : 0;
}

/** The images of a request in the form it asked for: URLs on `host`, or base64. */
function imageFields(
  provider: SimulatedProvider,
  request: ImagesRequest,
  host: string,
  asText: boolean,
) {
  const { imageScale, imageBytes } = provider.settings;
  const firstSeed = request.seed ?? provider.newSeeds(request.n);
  return (index: number): string => {
    const image = asText
      ? "html"
      : recipeOf({ ...request, index, seed: firstSeed + index }, imageScale, imageBytes);
    if (request.asUrl) return `"url":"${host}${provider.imageUrls.add(image)}"`;
    const bytes = image === "html" ? Buffer.from("this is not an image") : render(image);
    return `"b64_json":"${bytes.toString("base64")}"`;
  };
}

/** The answer. It is put together by hand, since to quote megabytes of base64 would take longer than to draw them. */
function answer(
  provider: SimulatedProvider,
  request: ImagesRequest,
  host: string,
  count: number,
  asText: boolean,
): Reply {
  const fields = imageFields(provider, request, host, asText);
  const revised = request.rules.revisesPrompt
    ? `,"revised_prompt":${JSON.stringify(`A detailed picture of ${request.prompt}`)}`
    : "";
  const entries = Array.from({ length: count }, (_, index) => `{${fields(index)}${revised}}`);
  const rest = JSON.stringify({
    created: Math.floor(Date.now() / 1000),
    ...details(request, count),
  });
  return {
    status: 200,
    contentType: "application/json",
    body: `${rest.slice(0, -1)},"data":[${entries.join(",")}]}`,
  };
}

function rateLimitHeaders({ settings, limits }: SimulatedProvider): Record<string, string> {
  if (!settings.rateLimitHeaders) return {};
  return Object.fromEntries(
    limits.standings(settings).flatMap(({ unit, limit, remaining, resetMs }) => [
      [`x-ratelimit-limit-${unit}`, String(limit)],
      [`x-ratelimit-remaining-${unit}`, String(remaining)],
      [`x-ratelimit-reset-${unit}`, shortDuration(resetMs)],
    ]),
  );
}

/** The refusal of a good request for what it asks: a model that is gone, a prompt that is not allowed. */
function refuseContent(
  { settings }: SimulatedProvider,
  { model, prompt }: ImagesRequest,
  requestId: string,
) {
  if (settings.goneModels.includes(model)) return errors.modelNotFound(model);
  if (/\bmoderated\b(?!-output)/.test(prompt)) return errors.moderationBlocked("input", requestId);
  return undefined;
}

/**
 * `POST …/images/generations` of the OpenAI API, and of servers that are compatible with it. `host` is the base of image
 * URLs. A prompt with the word `moderated` is refused, one with `moderated-output` after its images were made.
 */
export function openAiCall(provider: SimulatedProvider, text: string, host: string): ProviderCall {
  const requestId = `req_${randomUUID().replaceAll("-", "")}`;
  const startedAt = performance.now();
  const { settings } = provider;
  const reading = readImagesRequest(text, settings.refuseParameter);
  const { model, prompt, n } = reading.ok ? reading.request : reading;
  const blocked = /\bmoderated-output\b/.test(prompt);
  return {
    facts: {
      api: "openai",
      model,
      prompt,
      n,
      tokens: reading.ok ? tokensOf(reading.request) : 0,
      seed: reading.ok ? reading.request.seed : null,
    },
    refusal: reading.ok ? refuseContent(provider, reading.request, requestId) : reading.refusal,
    lateRefusal: blocked ? errors.moderationBlocked("output", requestId) : undefined,
    unauthorized: errors.unauthorized,
    limited: (refusal) => errors.rateLimited(settings, model, refusal),
    outOfQuota: errors.insufficientQuota,
    failure: (fault) => errors.openAiFailure(fault, model, settings),
    answer: (count, asText) =>
      reading.ok ? answer(provider, reading.request, host, count, asText) : reading.refusal,
    priceOf: (images) => (reading.ok ? priceOf(reading.request, images) : 0),
    headers: () => ({
      "x-request-id": requestId,
      "openai-version": "2020-10-01",
      "openai-organization": "org-simulator",
      "openai-processing-ms": String(Math.round(performance.now() - startedAt)),
      ...rateLimitHeaders(provider),
    }),
  };
}

/** `GET …/models`: what the simulator knows by name. It takes any other name too. */
export function listModels(names: readonly string[]): Reply {
  return jsonReply(200, {
    object: "list",
    data: names.map((id) => ({
      id,
      object: "model",
      created: 1_700_000_000,
      owned_by: "simulator",
    })),
  });
}
