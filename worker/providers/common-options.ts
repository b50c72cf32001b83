import { z } from "zod";
import { defaultMaxImageBytes } from "../../shared/image-check.ts";
import { ImageHost } from "../../shared/image-host.ts";
import type { Fetch } from "./fetch-adapter.ts";
import type { ProxySettings as Settings } from "./http.ts";
import {
  functionOption,
  HeaderFields,
  HeaderKey,
  HttpUrl,
  kept,
  maxTimerMs,
} from "./model-options.ts";

/** Empty: none. */
const ProxyUrl = HttpUrl.or(z.literal("")).optional();

const ProxySettings: z.ZodType<Settings, Settings> = z.strictObject({
  httpProxy: ProxyUrl,
  httpsProxy: ProxyUrl,
  noProxy: z.string().optional(),
});

/** Options that every built-in model takes. */
export const CommonOptions = {
  apiKey: kept(HeaderKey.optional()).describe("The key; nothing else holds it"),
  timeoutMs: z
    .int()
    .min(1)
    .max(maxTimerMs)
    .default(120_000)
    .describe("Longest call in milliseconds, images at URLs included"),
  maxRetries: z
    .int()
    .min(0)
    .default(6)
    .describe("Further tries of a call in `generate`; `agenerate` is always one request"),
  defaultHeaders: kept(HeaderFields.optional()).describe(
    "Sent with every request to the provider, in place of the usual ones; keys in them are masked in messages",
  ),
  fetch: kept(functionOption<Fetch>().optional()).describe("Used instead of the built-in client"),
  proxy: kept(ProxySettings.optional()).describe("Proxies by the scheme of the target"),
  maxImageBytes: z.int().min(1).default(defaultMaxImageBytes).describe("Largest image in bytes"),
  imageHosts: z
    .array(ImageHost)
    .readonly()
    .optional()
    .describe(
      "Hosts that images at URLs may come from though they are private or speak plain http, besides the provider's own",
    ),
};
