import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import type { HttpAnswer } from "./answer-reader.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";
import type { AnsweredImage } from "./take-images.ts";

const Url = z.object({ url: z.string() });

/** Where the inference providers put their one image: each its own way. */
const shapes = [
  // together, nscale
  z
    .object({ data: z.tuple([z.object({ b64_json: z.string() })]).rest(z.unknown()) })
    .transform(({ data }) => ({ base64: data[0].b64_json })),
  z
    .object({ data: z.tuple([Url]).rest(z.unknown()) })
    .transform(({ data }) => ({ url: data[0].url })),
  // fal-ai
  z
    .object({ images: z.tuple([Url]).rest(z.unknown()), seed: z.int().optional().catch(undefined) })
    .transform(({ images, seed }) => ({ url: images[0].url, ...(seed !== undefined && { seed }) })),
  // zai-org
  z
    .object({ image_result: z.tuple([Url]).rest(z.unknown()) })
    .transform(({ image_result: [{ url }] }) => ({ url })),
  // replicate
  z.object({ output: z.string() }).transform(({ output }) => ({ url: output })),
  z
    .object({ output: z.tuple([z.string()]).rest(z.unknown()) })
    .transform(({ output }) => ({ url: output[0] })),
  // wavespeed
  z
    .object({ data: z.object({ outputs: z.tuple([z.string()]).rest(z.unknown()) }) })
    .transform(({ data }) => ({ url: data.outputs[0] })),
] as const;

/**
 * Finds the image in what came: the bytes of an answer that is no JSON, else the place that the provider's JSON names.
 * @throws ProviderError `bad_response`
 */
export function readHuggingfaceAnswer(
  json: unknown,
  answer: HttpAnswer | undefined,
  secrets: Secrets,
): AnsweredImage {
  const isJson = answer?.headers.get("content-type")?.startsWith("application/json");
  if (answer && !isJson) return { bytes: answer.body.whole };
  for (const shape of shapes) {
    const parsed = shape.safeParse(json);
    if (parsed.success) return parsed.data;
  }
  const start = JSON.stringify(json)?.slice(0, 300) ?? "nothing";
  throw new ProviderError(
    "bad_response",
    safeMessage(`the answer holds no image: ${start}`, secrets),
    {
      status: answer?.status,
    },
  );
}
