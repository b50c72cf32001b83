import { z } from "zod";

/**
 * Everything that can go wrong with a call, by name.
 *
 * - `error500`, `error503`, `overloaded`, `rateLimited`, `loading`: answers with that error; `loading` is Hugging Face's
 *   503 of a model that is not in memory yet
 * - `hang`: never answers, until the client goes
 * - `resetConnection`: the connection is reset instead of an answer; no image is made
 * - `brokenBody`: the answer stops in the middle of the length that its header promised; its images are billed
 * - `slowBody`: the answer trickles for `slowBodyMs`
 * - `notJson`: 200 with a page of HTML. `notAnImage`: 200, and what should be an image is text. No image is made
 * - `fewerImages`: one image less than asked for; none for a call of one
 */
export const faultNames = [
  "error500",
  "error503",
  "overloaded",
  "rateLimited",
  "loading",
  "hang",
  "resetConnection",
  "brokenBody",
  "slowBody",
  "notJson",
  "notAnImage",
  "fewerImages",
] as const;
/** One of {@link faultNames}. */
export const FaultName = z.enum(faultNames);
export type FaultName = z.infer<typeof FaultName>;

/** A fault for every call whose prompt contains `match`, for the first `times` of such calls where that is given. */
export const PromptFault = z.strictObject({
  match: z.string().min(1),
  fault: FaultName,
  times: z.int().min(1).optional(),
});
export type PromptFault = z.infer<typeof PromptFault>;

/** States of a named Hugging Face Inference Endpoint. */
export const EndpointState = z.enum([
  "pending",
  "initializing",
  "updating",
  "updateFailed",
  "running",
  "paused",
  "failed",
  "scaledToZero",
]);
export type EndpointState = z.infer<typeof EndpointState>;

/** A named Inference Endpoint. The simulator changes its `state` as it wakes. */
export const NamedEndpoint = z.strictObject({
  namespace: z.string().default("simulator"),
  state: EndpointState.default("running"),
  model: z.string().default("imagemill/simulated"),
});
export type NamedEndpoint = z.infer<typeof NamedEndpoint>;

/** How a 429 tells how long to wait: headers `retry-after` or `retry-after-ms`, the text of the error, or not at all. */
const RetryAfterForm = z.enum(["seconds", "date", "message", "ms", "none"]);

const share = z.number().min(0).max(1);
const perMinute = z.number().positive().nullable().default(null);

/**
 * How the simulator behaves. Every setting has a default; all but `host`, `port` and `ledgerFile` may be changed while
 * it runs. A name that is not a setting is refused.
 */
export const SimulatorSettings = z.strictObject({
  host: z.string().default("127.0.0.1"),
  /** 0: any free port. */
  port: z.int().min(0).max(65_535).default(0),
  /** Milliseconds from a good request to the answer. Errors of validation, key and limits come at once. */
  latencyMs: z.number().min(0).default(0),
  /** Share by which the latency varies up and down. */
  jitter: share.default(0),
  /**
   * Size of the drawn image relative to the one asked for. The default of 1/16 answers 1024x1024 with 64x64, to be fast;
   * 1 draws the real size.
   */
  imageScale: z
    .number()
    .positive()
    .max(1)
    .default(1 / 16),
  /** Every image file is padded to about this many bytes; 0: not. */
  imageBytes: z
    .int()
    .min(0)
    .max(64 * 1024 * 1024)
    .default(0),
  /** Requests that may be admitted per window; null: any number. */
  requestsPerMinute: perMinute,
  /** Images that may be admitted per window, `n` of each call counted; null: any number. */
  imagesPerMinute: perMinute,
  /**
   * Tokens that may be admitted per window, as the answer's usage will tell them; null: any number. Calls for models whose
   * answers tell no usage take none.
   */
  tokensPerMinute: perMinute,
  /** The window of all limits in milliseconds. Other than a minute it makes a test of limits short. */
  limitWindowMs: z.number().positive().default(60_000),
  /** Share of a limit that may be used at once after a quiet time, where it comes back evenly. */
  limitBurst: z.number().positive().max(1).default(1),
  /** Whether what was used of a limit comes back evenly, or all at once when the next window begins. */
  limitRefill: z.enum(["evenly", "each window"]).default("evenly"),
  /** Whether answers of the OpenAI API carry `x-ratelimit-*` headers for the limits that are set. */
  rateLimitHeaders: z.boolean().default(true),
  retryAfter: RetryAfterForm.default("seconds"),
  /** Milliseconds that the faults `rateLimited` and `overloaded` ask to wait. */
  faultRetryAfterMs: z.number().min(0).default(1_000),
  /** When set, calls without `Authorization: Bearer <apiKey>` are answered with 401. */
  apiKey: z.string().min(1).nullable().default(null),
  /** Probability of each fault, per call. Their sum is the probability that a call goes wrong. */
  faults: z.partialRecord(FaultName, share).default({}),
  /** The same seed gives the same faults to the same sequence of calls. */
  faultSeed: z.int().default(1),
  /** Faults by prompt, before those by chance. The first that matches and is not used up counts. */
  promptFaults: z.array(PromptFault).default([]),
  slowBodyMs: z.number().min(0).default(2_000),
  /** Calls that have this parameter are answered with 400 `unknown_parameter`. */
  refuseParameter: z.string().nullable().default(null),
  /** After this many images the money is gone: 429 `insufficient_quota`, 402 of Hugging Face. */
  quotaAfterImages: z.int().min(0).nullable().default(null),
  /** Models that are answered with 404 `model_not_found`. */
  goneModels: z.array(z.string()).default([]),
  /** Named Inference Endpoints by name. `/endpoints/<name>` of another name is a running one. */
  endpoints: z.record(z.string(), NamedEndpoint).default({}),
  /** Milliseconds until an endpoint runs after it was resumed, or called while scaled to zero. */
  endpointWakeMs: z.number().min(0).default(1_000),
  /** US dollars of one image on the bill; null: what the model costs, 0.04 where that is not known. */
  pricePerImage: z.number().min(0).nullable().default(null),
  /** Calls that the ledger remembers one by one. Its counters cover all. */
  keepCalls: z.int().min(1).default(100_000),
  /** Image URLs that can still be fetched; the oldest is forgotten first. */
  keepUrls: z.int().min(1).default(10_000),
  /** A JSONL file to which every call is appended when it starts and when it ends. */
  ledgerFile: z.string().nullable().default(null),
});
/** All settings, as a running simulator has them. */
export type SimulatorSettings = z.infer<typeof SimulatorSettings>;
/** Settings as they are given: everything may be left out. */
export type SimulatorOptions = z.input<typeof SimulatorSettings>;

const fixed: ReadonlySet<string> = new Set(["host", "port", "ledgerFile"]);

/**
 * Changes running settings: each name in `changes` replaces that setting as a whole.
 * @throws ZodError naming the setting that is wrong; Error for one that cannot change while the simulator runs
 */
export function changeSettings(
  settings: SimulatorSettings,
  changes: Record<string, unknown>,
): void {
  const names = Object.keys(changes);
  const still = names.find((name) => fixed.has(name));
  if (still !== undefined) {
    throw new Error(
      `The setting \`${still}\` cannot change while the simulator runs: start another one`,
    );
  }
  const parsed = SimulatorSettings.parse({ ...settings, ...changes }) as Record<string, unknown>;
  Object.assign(settings, Object.fromEntries(names.map((name) => [name, parsed[name]])));
}
