import { z } from "zod";
import type { ImageFormat } from "./image.ts";
import { imageFormats } from "./image.ts";
import type { ModelRules } from "./models.ts";
import { rulesOf } from "./models.ts";
import { invalidParameter, openAiError } from "./openai-errors.ts";
import type { Reply } from "./reply.ts";

const ImagesBody = z.looseObject({
  model: z.string().min(1).default("dall-e-2"),
  prompt: z.string(),
  n: z.int().nullish(),
  size: z.string().nullish(),
  quality: z.string().nullish(),
  output_format: z.string().nullish(),
  response_format: z.string().nullish(),
  seed: z.int().nullish(),
});
type ImagesBody = z.infer<typeof ImagesBody>;

/** A good request for images. */
export interface ImagesRequest {
  model: string;
  rules: ModelRules;
  prompt: string;
  n: number;
  seed: number | null;
  size: string;
  width: number;
  height: number;
  quality: string;
  format: ImageFormat;
  asUrl: boolean;
  /** What the images depend on beside prompt, seed, model and size. */
  parameters: Record<string, unknown>;
}

/** What came of reading a request: it may be good, or wrong with its answer and what could be read of it. */
export type ImagesReading =
  | { ok: true; request: ImagesRequest }
  | { ok: false; refusal: Reply; model: string; prompt: string; n: number };

function quoted(values: readonly string[]): string {
  return values.map((value) => `'${value}'`).join(", ");
}

function invalidValue(param: string, value: unknown, supported: readonly string[]): Reply {
  const message = `Invalid value: '${String(value)}'. Supported values are: ${quoted(supported)}.`;
  return invalidParameter(param, "invalid_value", message);
}

function refusePrompt(prompt: string, limit: number): Reply | undefined {
  if (prompt.trim() === "") {
    return invalidParameter(
      "prompt",
      "empty_string",
      "Invalid 'prompt': empty string. Expected a prompt.",
    );
  }
  if (prompt.length <= limit || Array.from(prompt).length <= limit) return undefined;
  const message =
    `Invalid 'prompt': string too long. Expected a string with maximum length ${limit}, but got a string with ` +
    `length ${Array.from(prompt).length} instead.`;
  return invalidParameter("prompt", "string_above_max_length", message);
}

function refuseCount(n: number, { maxImages }: ModelRules): Reply | undefined {
  if (maxImages === 1 && n > 1)
    return invalidParameter("n", "invalid_value", "You must provide n=1 for this model.");
  const [side, bound] = n < 1 ? ["below minimum", ">= 1"] : ["above maximum", `<= ${maxImages}`];
  if (n >= 1 && n <= maxImages) return undefined;
  const message = `Invalid 'n': integer ${side} value. Expected a value ${bound}, but got ${n} instead.`;
  return invalidParameter(
    "n",
    n < 1 ? "integer_below_min_value" : "integer_above_max_value",
    message,
  );
}

/** Width and height of a size, or the refusal of one that the model does not know. */
function readSize(size: string, { sizes }: ModelRules): { width: number; height: number } | Reply {
  if (typeof sizes !== "string" && !sizes.includes(size)) return invalidValue("size", size, sizes);
  if (size === "auto") return { width: 1024, height: 1024 };
  const [, width = 0, height = 0] = /^(\d{1,5})x(\d{1,5})$/.exec(size)?.map(Number) ?? [];
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  const fits =
    sizes === "multiples16"
      ? width % 16 === 0 &&
        height % 16 === 0 &&
        short > 0 &&
        long <= 3840 &&
        long <= 3 * short &&
        short <= 2160
      : short >= 16 && long <= 8192;
  if (fits) return { width, height };
  const message =
    `Invalid size '${size}'. Expected 'auto' or WIDTHxHEIGHT` +
    (sizes === "multiples16"
      ? ", both multiples of 16, a ratio of at most 3:1, at most 3840x2160."
      : ".");
  return invalidParameter("size", "invalid_value", message);
}

/** Refuses what the model does not know or take. */
function refuseParameters(
  body: ImagesBody,
  rules: ModelRules,
  refused: string | null,
): Reply | undefined {
  const unknown = Object.keys(body).find(
    (name) => name === refused || (rules.parameters !== undefined && !rules.parameters.has(name)),
  );
  if (unknown !== undefined) {
    return invalidParameter(unknown, "unknown_parameter", `Unknown parameter: '${unknown}'.`);
  }
  const { quality, output_format: format, response_format: answer } = body;
  if (quality && rules.qualities && !rules.qualities.includes(quality)) {
    return invalidValue("quality", quality, rules.qualities);
  }
  if (format && !(imageFormats as readonly string[]).includes(format)) {
    return invalidValue("output_format", format, imageFormats);
  }
  if (answer && !["url", "b64_json"].includes(answer)) {
    return invalidValue("response_format", answer, ["url", "b64_json"]);
  }
  return undefined;
}

/** The refusal of a body that is not what the API expects at all. */
function refuseShape(error: z.ZodError): Reply {
  const issue = error.issues[0]!;
  const param = String(issue.path[0] ?? "");
  if (param === "") return openAiError(400, notJson);
  if (param === "prompt" && issue.message.includes("undefined")) {
    return invalidParameter(
      param,
      "missing_required_parameter",
      `Missing required parameter: '${param}'.`,
    );
  }
  return invalidParameter(param, "invalid_type", `Invalid type for '${param}': ${issue.message}.`);
}

const notJson = {
  message: "We could not parse the JSON body of your request. Expected a JSON object.",
  type: "invalid_request_error",
  code: null,
};

function check(body: ImagesBody, refused: string | null): ImagesRequest | Reply {
  const rules = rulesOf(body.model);
  const n = body.n ?? 1;
  const size = body.size ?? (typeof rules.sizes === "string" ? "auto" : "1024x1024");
  const refusal =
    refusePrompt(body.prompt, rules.promptLimit) ??
    refuseParameters(body, rules, refused) ??
    refuseCount(n, rules);
  if (refusal) return refusal;
  const read = readSize(size, rules);
  if ("status" in read) return read;
  const {
    model,
    prompt,
    n: _n,
    size: _size,
    seed = null,
    output_format,
    response_format,
    ...parameters
  } = body;
  return {
    model,
    rules,
    prompt,
    n,
    seed,
    size,
    ...read,
    quality: body.quality ?? "auto",
    format: imageFormats.find((format) => format === output_format) ?? "png",
    asUrl: rules.answers !== "b64_only" && (response_format ?? rules.answers) === "url",
    parameters,
  };
}

/** Reads the body of a request for images as strictly as its model does. `refused`: a parameter that is not taken. */
export function readImagesRequest(text: string, refused: string | null): ImagesReading {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, refusal: openAiError(400, notJson), model: "", prompt: "", n: 1 };
  }
  const parsed = ImagesBody.safeParse(json);
  if (!parsed.success)
    return { ok: false, refusal: refuseShape(parsed.error), model: "", prompt: "", n: 1 };
  const { model, prompt, n } = parsed.data;
  const checked = check(parsed.data, refused);
  return "rules" in checked
    ? { ok: true, request: checked }
    : { ok: false, refusal: checked, model, prompt, n: n ?? 1 };
}
