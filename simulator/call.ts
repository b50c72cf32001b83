import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { chance } from "./chance.ts";
import { reset, send, sendHalf, sendSlowly } from "./deliver.ts";
import type { CallFacts, CallRecord } from "./ledger.ts";
import type { LimitRefusal } from "./limits.ts";
import type { SimulatedProvider } from "./provider.ts";
import type { Reply } from "./reply.ts";
import { htmlReply } from "./reply.ts";
import type { FaultName } from "./settings.ts";

/** Faults that are answered with an error. */
export type ErrorFault = Extract<
  FaultName,
  "error500" | "error503" | "overloaded" | "loading" | "rateLimited"
>;

/** One call for images, in the words of the API that it came through. */
export interface ProviderCall {
  facts: CallFacts;
  /** The answer to a call that is wrong in itself; it comes at once. */
  refusal?: Reply | undefined;
  /** The answer to a call whose images turned out to be not allowed; it comes instead of them. */
  lateRefusal?: Reply | undefined;
  unauthorized(key: string | undefined): Reply;
  limited(refusal: LimitRefusal): Reply;
  outOfQuota(): Reply;
  failure(fault: ErrorFault): Reply;
  /** The answer with the first `count` images, or with text in their place. */
  answer(count: number, asText: boolean): Reply;
  /** US dollars for so many images of this call. */
  priceOf(images: number): number;
  /** Headers of every answer to this call. */
  headers(): Record<string, string>;
}

function isErrorFault(fault: FaultName | undefined): fault is ErrorFault {
  return (
    fault !== undefined &&
    ["error500", "error503", "overloaded", "loading", "rateLimited"].includes(fault)
  );
}

/** Refuses a call whose key is missing or wrong. */
function checkKey(
  provider: SimulatedProvider,
  call: ProviderCall,
  request: IncomingMessage,
): Reply | undefined {
  const key = /^Bearer\s+(.*)$/i.exec(request.headers.authorization ?? "")?.[1];
  const { apiKey } = provider.settings;
  return apiKey === null || key === apiKey ? undefined : call.unauthorized(key);
}

/** Refuses a call for which the money or the limits do not suffice; else takes from the limits. */
function checkLimits(
  { settings, ledger, limits }: SimulatedProvider,
  call: ProviderCall,
): Reply | undefined {
  const { quotaAfterImages } = settings;
  if (quotaAfterImages !== null && ledger.images >= quotaAfterImages) return call.outOfQuota();
  const refusal = limits.admit(settings, call.facts.n, call.facts.tokens);
  return refusal && call.limited(refusal);
}

/** Waits as long as the making of images takes. False: the simulator closed meanwhile. */
async function waitLatency(
  { settings, closing }: SimulatedProvider,
  callNumber: number,
): Promise<boolean> {
  const { latencyMs, jitter, faultSeed } = settings;
  const waitMs = latencyMs * (1 + jitter * (2 * chance(faultSeed, callNumber, 1) - 1));
  if (waitMs <= 0) return true;
  return sleep(waitMs, true, { signal: closing }).catch(() => false);
}

/** The answer after the latency, and how many images were made for it. */
function makeAnswer(
  call: ProviderCall,
  fault: FaultName | undefined,
): { reply: Reply; images: number } {
  const { n } = call.facts;
  if (isErrorFault(fault)) return { reply: call.failure(fault), images: 0 };
  if (call.lateRefusal) return { reply: call.lateRefusal, images: 0 };
  if (fault === "notJson") return { reply: htmlReply(), images: 0 };
  if (fault === "notAnImage") return { reply: call.answer(n, true), images: 0 };
  const images = fault === "fewerImages" ? n - 1 : n;
  return { reply: call.answer(images, false), images };
}

/** Sends what was made, in the way that the fault wants. The call is ended before its last byte leaves. */
async function deliver(
  provider: SimulatedProvider,
  record: CallRecord,
  response: ServerResponse,
  reply: Reply,
): Promise<void> {
  const { ledger, settings, closing } = provider;
  if (record.fault === "slowBody" && !response.destroyed) {
    const last = await sendSlowly(response, reply, settings.slowBodyMs, closing);
    ledger.end(record, reply.status, last === undefined);
    response.end(last);
    return;
  }
  ledger.end(record, reply.status, response.destroyed);
  if (response.destroyed) return;
  if (record.fault === "brokenBody") sendHalf(response, reply);
  else send(response, reply);
}

function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve();
    else response.once("close", resolve);
  });
}

/**
 * Takes one call through the provider: ledger, key, validation, fault, quota, limits, latency, images, bill, answer. A
 * client that goes while its images are made pays for them all the same.
 */
export async function serveCall(
  provider: SimulatedProvider,
  call: ProviderCall,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { settings, ledger, faults } = provider;
  const record = ledger.start(call.facts);
  const withHeaders = (reply: Reply): Reply => ({
    ...reply,
    headers: { ...call.headers(), ...reply.headers },
  });

  const refuse = (refusal: Reply) => {
    ledger.end(record, refusal.status);
    send(response, withHeaders(refusal));
  };
  const refusal = checkKey(provider, call, request) ?? call.refusal;
  if (refusal) return refuse(refusal);
  const fault = faults.choose(settings, record.number, call.facts.prompt);
  record.fault = fault ?? null;
  if (fault === "rateLimited") return refuse(call.failure(fault));
  const limited = checkLimits(provider, call);
  if (limited) return refuse(limited);

  if (fault === "hang") {
    await closed(response);
    return ledger.end(record, 0, true);
  }
  if (!(await waitLatency(provider, record.number))) return ledger.end(record, 0);
  if (fault === "resetConnection") {
    ledger.end(record, 0);
    return reset(response);
  }
  const { reply, images } = makeAnswer(call, fault);
  const { pricePerImage } = settings;
  const usd = pricePerImage === null ? call.priceOf(images) : images * pricePerImage;
  ledger.charge(record, images, usd);
  await deliver(provider, record, response, withHeaders(reply));
}
