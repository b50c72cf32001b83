import type { IncomingMessage, ServerResponse } from "node:http";
import { serveCall } from "./call.ts";
import { postSettings, streamCalls } from "./control-api.ts";
import { readBody, send } from "./deliver.ts";
import { endpointLookup, endpointModel, keyOwner, scaleUp } from "./endpoints.ts";
import { huggingFaceCall } from "./huggingface-api.ts";
import { render } from "./image.ts";
import { listedModels } from "./models.ts";
import { listModels, openAiCall } from "./openai-api.ts";
import { unauthorized } from "./openai-errors.ts";
import type { SimulatedProvider } from "./provider.ts";
import type { Reply } from "./reply.ts";
import { htmlReply, jsonReply } from "./reply.ts";

/** A request with the parts of its path that the route names. */
interface Exchange {
  provider: SimulatedProvider;
  request: IncomingMessage;
  response: ServerResponse;
  /** The groups of the route's pattern, decoded. */
  parts: string[];
  /** Body of a POST. */
  text: string;
  /** Scheme and authority under which the client reached the simulator. */
  host: string;
}

interface Route {
  method: "GET" | "POST";
  path: RegExp;
  /** Gives back an answer to send, or has sent one itself. */
  run(exchange: Exchange): Reply | Promise<void>;
}

function serveHuggingFace(
  { provider, request, response, text }: Exchange,
  model: string,
  refusal?: Reply,
) {
  const call = huggingFaceCall(provider, model, text, request.headers.accept);
  return serveCall(provider, { ...call, refusal: refusal ?? call.refusal }, request, response);
}

async function serveEndpoint(exchange: Exchange): Promise<void> {
  const { provider, request, response, parts } = exchange;
  const name = parts[0]!;
  await scaleUp(provider, name, Number(request.headers["x-scale-up-timeout"] ?? 0));
  const { model, refusal } = endpointModel(provider, name);
  if (request.method === "POST") return serveHuggingFace(exchange, model, refusal);
  return send(response, refusal ?? jsonReply(200, { status: "ok" }));
}

function lookUp({ provider, request, host, parts }: Exchange, resume: boolean): Reply {
  const [namespace = "", name = ""] = parts;
  return endpointLookup(provider, {
    namespace,
    name,
    resume,
    authorization: request.headers.authorization,
    host,
  });
}

/** The lookup that `@huggingface/inference` makes before its first call of a model. */
function providerMapping({ parts: [model = ""] }: Exchange): Reply {
  const mapping = { status: "live", providerId: model, task: "text-to-image" };
  return jsonReply(200, { id: model, inferenceProviderMapping: { "hf-inference": mapping } });
}

function fetchImage({ provider, parts }: Exchange): Reply {
  const image = provider.imageUrls.get(parts[0]!);
  if (image === undefined) {
    return {
      status: 404,
      contentType: "text/plain",
      body: "The image does not exist, or its URL has expired",
    };
  }
  if (image === "html") return htmlReply();
  return { status: 200, contentType: `image/${image.format}`, body: render(image) };
}

function getModels({ provider: { settings }, request }: Exchange): Reply {
  const { authorization } = request.headers;
  if (settings.apiKey === null || authorization === `Bearer ${settings.apiKey}`)
    return listModels(listedModels);
  return unauthorized(authorization?.replace(/^Bearer\s+/i, ""));
}

const routes: readonly Route[] = [
  {
    method: "POST",
    path: /\/images\/generations$/,
    run: ({ provider, text, host, request, response }) =>
      serveCall(provider, openAiCall(provider, text, host), request, response),
  },
  { method: "GET", path: /^\/images\/(\w+)$/, run: fetchImage },
  {
    method: "POST",
    path: /^(?:\/hf-inference)?\/models\/(.+)$/,
    run: (exchange) => serveHuggingFace(exchange, exchange.parts[0]!),
  },
  { method: "POST", path: /^\/endpoints\/([^/]+)$/, run: serveEndpoint },
  { method: "GET", path: /^\/endpoints\/([^/]+)$/, run: serveEndpoint },
  {
    method: "GET",
    path: /^\/api\/whoami-v2$/,
    run: ({ provider, request }) => keyOwner(provider, request.headers.authorization),
  },
  {
    method: "GET",
    path: /^\/v2\/endpoint\/([^/]+)\/([^/]+)$/,
    run: (exchange) => lookUp(exchange, false),
  },
  {
    method: "POST",
    path: /^\/v2\/endpoint\/([^/]+)\/([^/]+)\/resume$/,
    run: (exchange) => lookUp(exchange, true),
  },
  { method: "GET", path: /^\/api\/models\/(.+)$/, run: providerMapping },
  {
    method: "GET",
    path: /^\/simulator\/ledger$/,
    run: ({ provider }) => jsonReply(200, provider.ledger.summary()),
  },
  {
    method: "GET",
    path: /^\/simulator\/calls$/,
    run: ({ provider, response }) => streamCalls(provider, response),
  },
  {
    method: "POST",
    path: /^\/simulator\/settings$/,
    run: ({ provider, text }) => postSettings(provider, text),
  },
  { method: "GET", path: /\/models$/, run: getModels },
];

const maxBodyBytes = 8 * 1024 * 1024;

function notFound(method: string | undefined, path: string): Reply {
  const message = `Unknown request URL: ${method} ${path}. Please check the URL for typos.`;
  return jsonReply(404, {
    error: { message, type: "invalid_request_error", param: null, code: "unknown_url" },
  });
}

function malformed(path: string): Reply {
  const message = `Expected a URL that is percent-encoded (\`%\` itself is \`%25\`), got ${path}`;
  return jsonReply(400, { error: { message, type: "invalid_request_error" } });
}

/** The groups of a pattern in a path; undefined where they are not percent-encoded. */
function decodedParts(pattern: RegExp, path: string): string[] | undefined {
  try {
    return (pattern.exec(path) ?? []).slice(1).map((part) => decodeURIComponent(part));
  } catch {
    return undefined;
  }
}

/** Answers one request to the simulator. */
export async function answerRequest(
  provider: SimulatedProvider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "/").replace(/\?.*$/, "").replace(/(?<=.)\/+$/, "");
  const route = routes.find(
    ({ method, path: pattern }) => method === request.method && pattern.test(path),
  );
  if (!route) return send(response, notFound(request.method, path));
  const body = request.method === "POST" ? await readBody(request, maxBodyBytes) : Buffer.alloc(0);
  if (body === undefined) {
    const tooLarge = {
      message: `Expected a body of at most ${maxBodyBytes} bytes`,
      type: "invalid_request_error",
    };
    return send(response, jsonReply(413, { error: tooLarge }, { connection: "close" }));
  }
  const parts = decodedParts(route.path, path);
  if (!parts) return send(response, malformed(path));
  const host = `http://${request.headers.host ?? "localhost"}`;
  const reply = await route.run({
    provider,
    request,
    response,
    parts,
    text: body.toString("utf8"),
    host,
  });
  if (reply) send(response, reply);
}
