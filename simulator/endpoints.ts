import { setTimeout as sleep } from "node:timers/promises";
import type { SimulatedProvider } from "./provider.ts";
import type { Reply } from "./reply.ts";
import { jsonReply } from "./reply.ts";
import { huggingFaceError } from "./huggingface-api.ts";
import type { EndpointState, NamedEndpoint } from "./settings.ts";

/** An endpoint as it is now: one that was waking runs once its time has come. */
function endpointNow(
  { settings, wakeTimes }: SimulatedProvider,
  name: string,
): NamedEndpoint | undefined {
  const endpoint = Object.hasOwn(settings.endpoints, name) ? settings.endpoints[name] : undefined;
  const wakesAt = wakeTimes.get(name);
  if (endpoint && wakesAt !== undefined && Date.now() >= wakesAt) {
    endpoint.state = "running";
    wakeTimes.delete(name);
  }
  return endpoint;
}

function wake(
  { settings, wakeTimes }: SimulatedProvider,
  name: string,
  endpoint: NamedEndpoint,
): void {
  endpoint.state = "initializing";
  wakeTimes.set(name, Date.now() + settings.endpointWakeMs);
}

/** What `GET /v2/endpoint/{namespace}/{name}` tells of an endpoint. */
function describe(name: string, { state, model }: NamedEndpoint, host: string) {
  const replicas = state === "running" ? 1 : 0;
  return {
    name,
    type: "protected",
    model: { repository: model, framework: "pytorch", task: "text-to-image" },
    status: {
      state,
      message: `Endpoint is ${state}`,
      readyReplica: replicas,
      targetReplica: state === "paused" ? 0 : 1,
      url: `${host}/endpoints/${encodeURIComponent(name)}`,
    },
  };
}

function isKey({ settings: { apiKey } }: SimulatedProvider, authorization: string | undefined) {
  return apiKey === null || authorization === `Bearer ${apiKey}`;
}

function wrongKey(): Reply {
  return huggingFaceError(401, "Invalid username or password.");
}

/** `GET /api/whoami-v2`: the one user that there is. */
export function keyOwner(provider: SimulatedProvider, authorization: string | undefined): Reply {
  if (!isKey(provider, authorization)) return wrongKey();
  return jsonReply(200, { type: "user", name: "simulator", orgs: [] });
}

/** Looks an endpoint up, or resumes it if it is paused. Wrong keys and names are refused as the real API does. */
export function endpointLookup(
  provider: SimulatedProvider,
  wanted: {
    namespace: string;
    name: string;
    resume: boolean;
    authorization: string | undefined;
    host: string;
  },
): Reply {
  const { namespace, name, resume, authorization, host } = wanted;
  if (!isKey(provider, authorization)) return wrongKey();
  const endpoint = endpointNow(provider, name);
  if (!endpoint || endpoint.namespace !== namespace) {
    return huggingFaceError(404, `Endpoint ${namespace}/${name} not found`);
  }
  if (resume && endpoint.state === "paused") wake(provider, name, endpoint);
  return jsonReply(200, describe(name, endpoint, host));
}

const unavailable = { status: 503, error: "503 Service Unavailable" };
const failed = { status: 400, error: "Bad Request: the endpoint failed to start" };
/** What a call is answered in each state; null: with an image. */
const refusals: Record<EndpointState, { status: number; error: string } | null> = {
  running: null,
  updating: null,
  scaledToZero: unavailable,
  pending: unavailable,
  initializing: unavailable,
  paused: {
    status: 400,
    error: "Bad Request: the endpoint is paused, ask a maintainer to restart it",
  },
  failed,
  updateFailed: failed,
};

/**
 * Any request wakes an endpoint that is scaled to zero; one with `X-Scale-Up-Timeout` waits that many seconds for it to
 * run, another is refused meanwhile.
 */
export async function scaleUp(
  provider: SimulatedProvider,
  name: string,
  timeoutSeconds: number,
): Promise<void> {
  const endpoint = endpointNow(provider, name);
  if (endpoint?.state === "scaledToZero") wake(provider, name, endpoint);
  const wakesAt = provider.wakeTimes.get(name);
  if (wakesAt === undefined || !(timeoutSeconds > 0)) return;
  const waitMs = Math.min(wakesAt - Date.now(), timeoutSeconds * 1000);
  await sleep(waitMs, undefined, { signal: provider.closing }).catch(() => undefined);
}

/** The model behind `/endpoints/<name>`, and the refusal while it does not run. */
export function endpointModel(
  provider: SimulatedProvider,
  name: string,
): { model: string; refusal?: Reply } {
  const endpoint = endpointNow(provider, name);
  if (!endpoint) return { model: name };
  const { model, state } = endpoint;
  const refusal = refusals[state];
  return refusal ? { model, refusal: huggingFaceError(refusal.status, refusal.error) } : { model };
}
