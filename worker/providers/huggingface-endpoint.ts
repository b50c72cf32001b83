import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { classifyHuggingfaceRefusal } from "./classify-huggingface.ts";
import { classifyTransport } from "./classify-transport.ts";
import { withDeadline } from "./deadline.ts";
import type { HttpAnswer, HttpClient } from "./http.ts";
import type { Secrets } from "./safe-message.ts";

/** Hugging Face's API of Inference Endpoints. */
export const defaultEndpointsApi = "https://api.endpoints.huggingface.cloud";

/** What is used of an endpoint's description. */
const Endpoint = z.object({
  status: z.object({ state: z.string(), url: z.string().nullish() }),
  model: z.object({ repository: z.string().nullish() }).nullish(),
});

/**
 * Looks up a named Inference Endpoint, `namespace/name`.
 * @throws ProviderError `unavailable`, naming the state, where it is not running
 */
export async function findEndpoint(
  name: string,
  options: { http: HttpClient; api: string; apiKey: string; timeoutMs: number; secrets: Secrets },
): Promise<{ url: string; model: string | undefined }> {
  const { http, api, apiKey, timeoutMs, secrets } = options;
  const url = `${api.replace(/\/+$/, "")}/v2/endpoint/${name.split("/").map(encodeURIComponent).join("/")}`;
  const headers = { authorization: `Bearer ${apiKey}` };
  const answer = await withDeadline({ timeoutMs }, async (signal, progress) => {
    try {
      return await http.send(url, { headers, signal, maxBytes: 1_048_576, progress });
    } catch (error) {
      throw classifyTransport(error, secrets, progress);
    }
  }).catch((error: ProviderError) => {
    // Whatever happened to the look-up: no image was asked for.
    const message = `endpoint ${name}: ${error.message}`;
    throw new ProviderError(error.kind, message, { sent: false, cause: error });
  });
  return readEndpoint(name, answer, secrets);
}

function readEndpoint(name: string, { status, headers, bytes }: HttpAnswer, secrets: Secrets) {
  const text = bytes.toString("utf8");
  if (status < 200 || status >= 300) {
    const { kind, message } = classifyHuggingfaceRefusal(status, headers, text, secrets);
    throw new ProviderError(kind, `endpoint ${name}: ${message}`, { status, sent: false });
  }
  const parsed = Endpoint.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new ProviderError("bad_response", `endpoint ${name}: its description cannot be read`, {
      sent: false,
    });
  }
  const { state, url } = parsed.data.status;
  if (state !== "running" || !url) {
    const message = `endpoint ${name} is not running: its state is ${state}`;
    throw new ProviderError("unavailable", message, { code: state, sent: false });
  }
  return { url, model: parsed.data.model?.repository ?? undefined };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
