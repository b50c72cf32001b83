import { hash, randomUUID } from "node:crypto";
import { z } from "zod";
import type { ErrorFault, ProviderCall } from "./call.ts";
import type { ImageFormat, WantedImage } from "./image.ts";
import { imageFormats, recipeOf, render } from "./image.ts";
import { usualPrice } from "./prices.ts";
import type { SimulatedProvider } from "./provider.ts";
import type { Reply } from "./reply.ts";
import { jsonReply } from "./reply.ts";
import { retryAfter } from "./retry-after.ts";
import type { SimulatorSettings } from "./settings.ts";

const side = z.int().min(16).max(8192).nullish();
const TextToImageBody = z.looseObject({
  inputs: z.string().min(1),
  parameters: z
    .looseObject({
      negative_prompt: z.string().nullish(),
      width: side,
      height: side,
      num_inference_steps: z.int().nullish(),
      guidance_scale: z.number().nullish(),
      scheduler: z.string().nullish(),
      seed: z.int().nullish(),
    })
    .default({}),
});
type TextToImageBody = z.infer<typeof TextToImageBody>;

/** An error as Hugging Face writes it. */
export function huggingFaceError(
  status: number,
  error: string,
  headers: Record<string, string> = {},
): Reply {
  return jsonReply(status, { error }, headers);
}

function parseBody(text: string): TextToImageBody | Reply {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return huggingFaceError(400, "The body is not JSON: expected { inputs, parameters }");
  }
  const parsed = TextToImageBody.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  return huggingFaceError(400, `Error in \`${issue.path.join(".") || "body"}\`: ${issue.message}`);
}

/** The format that the client accepts; like the real one, JPEG where it does not mind. */
function formatFor(accept = ""): ImageFormat {
  return imageFormats.find((format) => accept.includes(`image/${format}`)) ?? "jpeg";
}

/** The image of a body. Without a seed in it, the seed comes from the body: an equal one gives an equal image. */
function answer(
  { settings }: SimulatedProvider,
  model: string,
  body: TextToImageBody,
  format: ImageFormat,
): Reply {
  const { seed, width, height, ...parameters } = body.parameters;
  const bodyHash = hash("sha256", JSON.stringify([model, body.inputs, parameters]), "buffer");
  const wanted: WantedImage = {
    model,
    prompt: body.inputs,
    index: 0,
    seed: seed ?? bodyHash.readUInt32BE(0),
    parameters,
    width: width ?? 1024,
    height: height ?? 1024,
    format,
  };
  const image = render(recipeOf(wanted, settings.imageScale, settings.imageBytes));
  return { status: 200, contentType: `image/${format}`, body: image };
}

/** An answer labelled as an image that is none: text, or nothing at all where no image was made. */
function brokenAnswer(asText: boolean): Reply {
  return { status: 200, contentType: "image/jpeg", body: asText ? "this is not an image" : "" };
}

/** 503 of a model that is not in memory yet. */
function modelLoading(model: string): Reply {
  return jsonReply(503, { error: `Model ${model} is currently loading`, estimated_time: 20.0 });
}

const failures: Record<ErrorFault, (model: string, settings: SimulatorSettings) => Reply> = {
  error500: () => huggingFaceError(500, "Internal Server Error"),
  error503: () => huggingFaceError(503, "Service Unavailable"),
  overloaded: () =>
    huggingFaceError(503, "Model too busy, unable to get response in less than 60 second(s)"),
  loading: modelLoading,
  rateLimited: (_, settings) => limited(settings, settings.faultRetryAfterMs),
};

function limited(settings: SimulatorSettings, waitMs: number | undefined): Reply {
  const { headers, sentence } = retryAfter(settings.retryAfter, waitMs);
  return huggingFaceError(
    429,
    `Rate limit reached. You made too many requests.${sentence}`,
    headers,
  );
}

function refuse(
  { goneModels, refuseParameter }: SimulatorSettings,
  model: string,
  body: TextToImageBody,
) {
  if (goneModels.includes(model)) return huggingFaceError(404, `Model ${model} does not exist`);
  if (refuseParameter !== null && refuseParameter in body.parameters) {
    return huggingFaceError(
      400,
      `DiffusionPipeline.__call__() got an unexpected keyword argument '${refuseParameter}'`,
    );
  }
  return undefined;
}

/** A text-to-image call of Hugging Face: hf-inference, or an Inference Endpoint. One image a call, as its raw bytes. */
export function huggingFaceCall(
  provider: SimulatedProvider,
  model: string,
  text: string,
  accept: string | undefined,
): ProviderCall {
  const requestId = randomUUID();
  const { settings } = provider;
  const body = parseBody(text);
  const good = "inputs" in body;
  return {
    facts: {
      api: "huggingface",
      model,
      prompt: good ? body.inputs : "",
      n: 1,
      tokens: 0,
      seed: (good ? body.parameters.seed : null) ?? null,
    },
    refusal: good ? refuse(settings, model, body) : body,
    unauthorized: () => huggingFaceError(401, "Invalid username or password."),
    limited: ({ waitMs }) => limited(settings, waitMs),
    outOfQuota: () =>
      huggingFaceError(
        402,
        "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more " +
          "monthly included credits.",
      ),
    failure: (fault) => failures[fault](model, settings),
    answer: (count, asText) => {
      if (!good) return body;
      return asText || count === 0
        ? brokenAnswer(asText)
        : answer(provider, model, body, formatFor(accept));
    },
    priceOf: (images) => images * usualPrice,
    headers: () => ({ "x-request-id": requestId }),
  };
}
