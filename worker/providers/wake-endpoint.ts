import { setTimeout as delay } from "node:timers/promises";
import { ProviderError } from "../../shared/failure.ts";
import type { EndpointsApi, FoundEndpoint } from "./huggingface-endpoint.ts";
import { mayPass, mostMisses } from "./passing-trouble.ts";

/** How far an Inference Endpoint is on its way to run. */
export interface EndpointProgress {
  /** `namespace/name`. */
  endpoint: string;
  /** Such as `initializing`. */
  state: string;
  waitedMs: number;
}

/** How an endpoint is waited for. */
export interface WakeOptions {
  timeoutMs: number;
  pollMs: number;
  onProgress?: ((progress: EndpointProgress) => void) | undefined;
  signal: AbortSignal;
}

/** States that end by themselves. */
const passing = new Set(["pending", "initializing", "updating", "scaledToZero", "paused"]);

/**
 * Waits until an endpoint runs; one that is paused is resumed, one that is scaled to zero is called, so that it wakes.
 * @throws ProviderError `model_gone` where it failed, `unavailable` where it does not run in time
 * @throws the signal's reason
 */
export async function wakeEndpoint(
  api: EndpointsApi,
  name: string,
  { timeoutMs, pollMs, onProgress, signal }: WakeOptions,
): Promise<FoundEndpoint & { url: string }> {
  const startedAt = Date.now();
  let misses = 0;
  let state = "not known";
  let woken: string | undefined;
  const look = async (): Promise<(FoundEndpoint & { url: string }) | undefined> => {
    const endpoint = await api.find(name, signal);
    const { url } = endpoint;
    state = endpoint.state;
    if (url && (state === "running" || (state === "updating" && endpoint.readyReplicas > 0)))
      return { ...endpoint, url };
    if (!passing.has(state)) throw failed(name, endpoint);
    if (state !== woken && state === "paused") await api.resume(name, signal);
    if (state !== woken && state === "scaledToZero" && url) await api.wake(url, signal);
    woken = state;
    misses = 0;
    return undefined;
  };
  for (;;) {
    try {
      const running = await look();
      if (running) return running;
    } catch (error) {
      if (!mayPass(error) || ++misses > mostMisses) throw error;
    }
    const waitedMs = Date.now() - startedAt;
    onProgress?.({ endpoint: name, state, waitedMs });
    if (waitedMs + pollMs > timeoutMs) throw tooLate(name, state, timeoutMs);
    await delay(pollMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function failed(name: string, { state, message }: FoundEndpoint): ProviderError {
  const why = message ? `: ${message}` : "";
  return new ProviderError(
    "model_gone",
    `endpoint ${name} does not run: its state is ${state}${why}; its log at Hugging Face says more`,
    { code: state, sent: false },
  );
}

function tooLate(name: string, state: string, timeoutMs: number): ProviderError {
  const message = `endpoint ${name} does not run after ${timeoutMs / 1000} s: its state is ${state}`;
  return new ProviderError("unavailable", message, { code: state, sent: false });
}
