import type { Dispatcher } from "undici";
import { asError } from "../../shared/caught.ts";
import type { AnswerShare } from "../answer-memory.ts";
import {
  type AnswerHeaders,
  AnswerReader,
  type AnswerLimits,
  type HttpAnswer,
  isSuccess,
} from "./answer-reader.ts";

/** How far an exchange has come. What never got past `connecting` was never received by the provider. */
export interface Progress {
  phase: "connecting" | "waiting for the answer" | "reading the answer" | "fetching the images";
}

/** One HTTP request. Redirects are answers like others. */
export interface HttpRequest extends AnswerLimits {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
  /**
   * Asks only a host whose addresses are all of the public Internet: they are checked as the connection is made. Names
   * that go through a proxy are resolved by the proxy and not checked.
   */
  publicOnly?: boolean;
  /** Kept up to date while the exchange goes on. */
  progress?: Progress;
  /** Where a successful answer finds room before it is read. Default: anywhere. */
  memory?: AnswerShare | undefined;
}

/**
 * Sends a request and reads its answer whole. A handler of its own instead of `fetch`, because streams cost a third of the
 * throughput of small images, and since only here it shows whether a request was sent.
 * @throws the transport's own error, TooLargeError, what `inspect` throws, or the signal's reason
 */
export async function sendRequest(
  agent: Dispatcher,
  url: string,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const { method = "GET", headers = {}, body = null, signal } = request;
  const { origin, pathname, search } = new URL(url);
  signal?.throwIfAborted();
  const transfer = new Transfer(request);
  agent.dispatch({ origin, path: pathname + search, method, headers, body }, transfer);
  const answer = await transfer.answer;
  tellLength(answer, answer.headers, request);
  return answer;
}

/** A request on its way: undici tells it what happens. */
class Transfer implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest;
  readonly #progress: Progress;
  readonly #settled = Promise.withResolvers<HttpAnswer>();
  #controller: Dispatcher.DispatchController | undefined;
  #reader: AnswerReader | undefined;

  constructor(request: HttpRequest) {
    const { signal, progress = { phase: "connecting" } } = request;
    this.#request = request;
    this.#progress = progress;
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  get answer(): Promise<HttpAnswer> {
    return this.#settled.promise;
  }

  onRequestStart(started: Dispatcher.DispatchController): void {
    const { signal } = this.#request;
    this.#controller = started;
    if (signal?.aborted) started.abort(asError(signal.reason));
    else this.#progress.phase = "waiting for the answer";
  }

  onResponseStart(
    reading: Dispatcher.DispatchController,
    status: number,
    received: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#progress.phase = "reading the answer";
    const headers = toHeaders(received);
    const read = () =>
      this.#attempt(() => (this.#reader = new AnswerReader(status, headers, this.#request)));
    const room = roomFor(status, headers, this.#request);
    if (!room) return read();
    reading.pause();
    void readOnce(room, reading, read);
  }

  onResponseData(reading: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#attempt(() => {
      if (this.#reader?.add(chunk) !== false) return;
      this.#end();
      reading.abort(new Error("enough was read of an error"));
    });
  }

  onResponseEnd(): void {
    this.#attempt(() => this.#end());
  }

  onResponseError(_: unknown, error: unknown): void {
    this.#fail(error);
  }

  readonly #abort = (): void => this.#cut(this.#request.signal?.reason);

  #end(): void {
    this.#leaveSignal();
    if (this.#reader) this.#settled.resolve(this.#reader.end());
  }

  #fail(error: unknown): void {
    this.#leaveSignal();
    this.#settled.reject(error);
  }

  /** Fails and ends the connection. */
  #cut(error: unknown): void {
    this.#fail(error);
    this.#controller?.abort(asError(error));
  }

  /** Where our own reading fails, undici has to be told to stop. */
  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#cut(error);
    }
  }

  #leaveSignal(): void {
    this.#request.signal?.removeEventListener("abort", this.#abort);
  }
}

/** Lets the provider go on sending when there is room. */
async function readOnce(
  room: Promise<void>,
  reading: Dispatcher.DispatchController,
  read: () => void,
): Promise<void> {
  await room;
  read();
  reading.resume();
}

/** A promise of room for a successful answer where there is none now; error pages are small. */
export function roomFor(
  status: number,
  headers: AnswerHeaders,
  { memory, maxBytes }: HttpRequest,
): Promise<void> | undefined {
  const announced = announcedBytes(headers);
  if (!isSuccess(status) || announced > maxBytes) return undefined;
  return memory?.take(announced);
}

/** How long a successful answer was, where its headers did not say. */
export function tellLength(
  { status, body }: HttpAnswer,
  headers: AnswerHeaders,
  { memory }: HttpRequest,
): void {
  if (isSuccess(status) && announcedBytes(headers) === 0) memory?.cameTo(body.length);
}

function announcedBytes(headers: AnswerHeaders): number {
  return Number(headers.get("content-length") ?? 0);
}

/** undici gives them by their names in lower case. Making a `Headers` of them would check once more what was received. */
function toHeaders(received: Record<string, string | string[] | undefined>): AnswerHeaders {
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(received)) {
    if (value !== undefined) fields.set(name, typeof value === "string" ? value : value.join(", "));
  }
  return { get: (name) => fields.get(name.toLowerCase()) ?? null, entries: () => fields.entries() };
}
