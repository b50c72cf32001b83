import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { jsonOf } from "../../shared/parse-json.ts";
import { isSuccess } from "./answer-reader.ts";
import { classifyHuggingfaceRefusal } from "./classify-huggingface.ts";
import { classifyTransport } from "./classify-transport.ts";
import { withDeadline } from "./deadline.ts";
import type { HttpRequest } from "./http-exchange.ts";
import type { HttpClient } from "./http.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";

/** What is used of an endpoint's description. */
const Endpoint = z
  .object({
    status: z.object({
      state: z.string(),
      url: z.string().nullish(),
      message: z.string().nullish().catch(null),
      readyReplica: z.number().nullish().catch(null),
    }),
    model: z.object({ repository: z.string().nullish() }).nullish(),
  })
  .transform(({ status, model }) => ({
    state: status.state,
    url: status.url ?? undefined,
    message: status.message ?? undefined,
    readyReplicas: status.readyReplica ?? 0,
    model: model?.repository ?? undefined,
  }));
/** An Inference Endpoint as it is now. */
export type FoundEndpoint = z.infer<typeof Endpoint>;

/** Who owns a key. */
const Owner = z.object({ name: z.string() });

/** Hugging Face's API of Inference Endpoints. Every failure is a ProviderError, unsent: no image was asked for. */
export interface EndpointsApi {
  /** Looks up `namespace/name`. */
  find(name: string, signal: AbortSignal): Promise<FoundEndpoint>;
  /** Starts one that is paused. */
  resume(name: string, signal: AbortSignal): Promise<void>;
  /** Calls one that is scaled to zero, which starts it; what it answers does not matter. */
  wake(url: string, signal: AbortSignal): Promise<void>;
  /** The user or organization that the key belongs to. */
  findOwner(signal: AbortSignal): Promise<string>;
}

/** What the API is reached with. */
export interface EndpointsApiOptions {
  http: HttpClient;
  endpointsApi: string;
  hubUrl: string;
  apiKey: string;
  timeoutMs: number;
  secrets: Secrets;
}

/** The API for one key. */
export function endpointsApi(options: EndpointsApiOptions): EndpointsApi {
  const { hubUrl, apiKey, secrets } = options;
  const headers = { authorization: `Bearer ${apiKey}` };
  const urlOf = (name: string) => {
    const path = name.split("/").map(encodeURIComponent).join("/");
    return `${options.endpointsApi.replace(/\/+$/, "")}/v2/endpoint/${path}`;
  };
  const send = (url: string, request: Partial<HttpRequest>) => sendOnce(url, request, options);
  const ask = async <T>(what: string, url: string, schema: z.ZodType<T>, request: object) => {
    try {
      return readAnswer(await send(url, { headers, ...request }), schema, secrets);
    } catch (error) {
      throw error instanceof ProviderError ? unsent(what, error) : error;
    }
  };
  return {
    find: (name, signal) => ask(`endpoint ${name}`, urlOf(name), Endpoint, { signal }),
    resume: async (name, signal) => {
      const request = { method: "POST", signal };
      await ask(`resuming endpoint ${name}`, `${urlOf(name)}/resume`, z.unknown(), request);
    },
    wake: async (url, signal) => {
      await send(url, { headers, signal }).catch((error: unknown) => {
        throw error instanceof ProviderError ? unsent("waking the endpoint", error) : error;
      });
    },
    findOwner: async (signal) => {
      const url = `${hubUrl.replace(/\/+$/, "")}/api/whoami-v2`;
      return (await ask("the owner of the key", url, Owner, { signal })).name;
    },
  };
}

async function sendOnce(
  url: string,
  request: Partial<HttpRequest>,
  { http, timeoutMs, secrets }: EndpointsApiOptions,
) {
  return await withDeadline({ timeoutMs, signal: request.signal }, async (signal, progress) => {
    try {
      return await http.send(url, { ...request, signal, maxBytes: 1_048_576, progress });
    } catch (error) {
      throw classifyTransport(error, secrets, progress);
    }
  });
}

function readAnswer<T>(
  { status, headers, body }: Awaited<ReturnType<typeof sendOnce>>,
  schema: z.ZodType<T>,
  secrets: Secrets,
): T {
  const text = body.text();
  if (!isSuccess(status)) throw classifyHuggingfaceRefusal(status, headers, text, secrets);
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const start = safeMessage(text.slice(0, 200), secrets);
  throw new ProviderError("bad_response", `its description cannot be read: ${start}`, { status });
}

function unsent(what: string, error: ProviderError): ProviderError {
  const { kind, message, status, code, requestId, retryAfterMs } = error;
  const details = { status, code, requestId, retryAfterMs, sent: false, cause: error };
  return new ProviderError(kind, `${what}: ${message}`, details);
}
