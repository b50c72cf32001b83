import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { jsonOf } from "../../shared/parse-json.ts";
import { classifyHuggingfaceRefusal } from "./classify-huggingface.ts";
import { classifyTransport } from "./classify-transport.ts";
import { type HttpAnswer, isSuccess } from "./answer-reader.ts";
import type { Fetch } from "./fetch-adapter.ts";
import { lowerCased } from "./lower-cased.ts";
import type { HttpClient } from "./http.ts";
import { mayPass, mostMisses } from "./passing-trouble.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";

/** How often an image that is being made is asked for. */
const pollMs = 500;
/** What tells of an image, but not the image itself, is small. */
const maxBytes = 1_048_576;

/** How far an image is: `failed` in the provider's own words. */
type State = "waiting" | "done" | { failed: string };

/** Where to ask for an image that is being made. */
interface Ticket {
  statusUrl: string;
  /** Where the images are told once it is done. Default: the last status tells them. */
  resultUrl?: string;
  stateOf(status: unknown): State | undefined;
}

/**
 * An inference provider answered that the image is still being made. Thrown out of the official client, which would ask
 * on with a fetch of its own: past the proxy, without a limit of bytes, and past whoever gave another fetch.
 */
export class Queued extends Error {
  override readonly name = "Queued";
  readonly ticket: Ticket;
  readonly headers: Record<string, string>;

  constructor(ticket: Ticket, headers: Record<string, string>) {
    super("the image is being made");
    this.ticket = ticket;
    this.headers = headers;
  }
}

/** The queues of the inference providers: what their first answer looks like, and where to ask then. */
const queues: readonly ((url: URL, root: string, answer: unknown) => Ticket | undefined)[] = [
  function falAi({ search }, root, answer) {
    const { data } = z.object({ request_id: z.string(), response_url: z.url() }).safeParse(answer);
    if (!data) return undefined;
    const place = root + new URL(data.response_url).pathname;
    return {
      statusUrl: `${place}/status${search}`,
      resultUrl: place + search,
      stateOf: (status) => {
        const parsed = z.object({ status: z.string() }).safeParse(status);
        return parsed.data && (parsed.data.status === "COMPLETED" ? "done" : "waiting");
      },
    };
  },
  function zaiOrg(_, root, answer) {
    const { data } = z.object({ id: z.string(), task_status: z.string() }).safeParse(answer);
    if (!data) return undefined;
    const statusUrl = `${root}/api/paas/v4/async-result/${encodeURIComponent(data.id)}`;
    return {
      statusUrl,
      stateOf: (status) => {
        const parsed = z.object({ task_status: z.string() }).safeParse(status);
        if (parsed.data?.task_status === "FAIL") return { failed: "its task failed" };
        return parsed.data && (parsed.data.task_status === "SUCCESS" ? "done" : "waiting");
      },
    };
  },
  function wavespeed(_, root, answer) {
    const Queue = z.object({ data: z.object({ urls: z.object({ get: z.url() }) }) });
    const { data: queued } = Queue.safeParse(answer);
    if (!queued) return undefined;
    const Status = z.object({
      data: z.object({ status: z.string(), error: z.string().nullish() }),
    });
    return {
      statusUrl: root + new URL(queued.data.urls.get).pathname,
      stateOf: (status) => {
        const parsed = Status.safeParse(status).data?.data;
        if (parsed?.status === "failed") return { failed: parsed.error || "its task failed" };
        return parsed && (parsed.status === "completed" ? "done" : "waiting");
      },
    };
  },
];

/** Only the host that was asked first is asked again: an answer may name a path, but no other host for the key to go to. */
function rootOf({ origin, host, pathname }: URL): string {
  return host === "router.huggingface.co" ? `${origin}/${pathname.split("/")[1]}` : origin;
}

/** A fetch that throws {@link Queued} where the answer to a POST is not the image, but a place in a queue. */
export function untilQueued(fetch: Fetch): Fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (init?.method !== "POST" || !response.ok) return response;
    if (!response.headers.get("content-type")?.startsWith("application/json")) return response;
    const answer = jsonOf(await response.text());
    const url = new URL(input instanceof Request ? input.url : input);
    const ticket = queues.map((queue) => queue(url, rootOf(url), answer)).find(Boolean);
    if (!ticket) return response;
    const { "content-type": _, ...headers } = lowerCased(init.headers);
    throw new Queued(ticket, headers);
  };
}

/** What an image that is being made is asked for with. */
interface Asking {
  http: HttpClient;
  signal: AbortSignal;
  secrets: Secrets;
}

/**
 * Waits until the image is made, and gives the answer that tells where it is. The image is paid for: a question that finds no
 * answer is asked again, a few times, each later than the last.
 * @throws ProviderError where the provider refuses, fails, or is away for longer
 * @throws an error where the signal is aborted
 */
export async function awaitQueued(
  { ticket, headers }: Queued,
  asking: Asking,
): Promise<HttpAnswer> {
  const { signal, secrets } = asking;
  for (;;) {
    await delay(pollMs, undefined, { signal });
    const answer = await ask(ticket.statusUrl, headers, asking);
    const text = answer.body.text();
    const state = ticket.stateOf(jsonOf(text)) ?? { failed: text.slice(0, 300) };
    if (state === "waiting") continue;
    if (state !== "done") throw notMade(state.failed, secrets);
    return ticket.resultUrl === undefined ? answer : await ask(ticket.resultUrl, headers, asking);
  }
}

async function ask(
  url: string,
  headers: Record<string, string>,
  asking: Asking,
): Promise<HttpAnswer> {
  for (let misses = 1; ; misses++) {
    try {
      return await askOnce(url, headers, asking);
    } catch (error) {
      asking.signal.throwIfAborted();
      if (!mayPass(error) || misses > mostMisses) throw error;
      await delay(pollMs * 2 ** misses, undefined, { signal: asking.signal });
    }
  }
}

async function askOnce(
  url: string,
  headers: Record<string, string>,
  { http, signal, secrets }: Asking,
): Promise<HttpAnswer> {
  const answer = await http.send(url, { headers, signal, maxBytes }).catch((error: unknown) => {
    throw classifyTransport(error, secrets, { phase: "fetching the images" });
  });
  const { status, body } = answer;
  if (isSuccess(status)) return answer;
  throw classifyHuggingfaceRefusal(status, answer.headers, body.text(), secrets);
}

function notMade(words: string, secrets: Secrets): ProviderError {
  return new ProviderError("bad_response", safeMessage(`no image was made: ${words}`, secrets));
}
