import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { priceOfCall } from "../shared/call-price.ts";
import { type BudgetLedger, toMicroUsd } from "../shared/budget-ledger.ts";
import type { ProviderError } from "../shared/failure.ts";
import type { AttemptRecord } from "../shared/result.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { HandBack } from "./job-moves.ts";
import type { Permit } from "./limiter.ts";
import { waitToStart } from "./wait-to-start.ts";
import { logFields } from "./log-fields.ts";
import { plannedCall, type AnyWork } from "./work.ts";

/** How often a call that the budget does not pay asks again: others may come to less than they reserved. */
const askAgainMs = 300;
/** How long a job stays away from a worker that does not know its price. */
const unknownPriceDelayMs = 5_000;

/** The money set aside for one call. Where it is never settled, because its worker dies, it stays spent. */
export interface Reservation {
  /** `usd`: what the call cost; undefined where nobody knows, so that all of it may have been spent. */
  settle(usd: number | undefined): Promise<void>;
}

const unlimited: Reservation = { settle: async () => {} };

/** Leave to make one call: by the lane and its pace, and by the run's budget. */
export interface Admission {
  permit: Permit;
  reservation: Reservation;
}

/**
 * Resolves when a call for so many images is paid for, where the run has a budget, and may start.
 * @throws HandBack, RunCancelled as the gate does; HandBack where the run has a budget and this worker knows no price
 */
export async function admit(work: AnyWork, images: number): Promise<Admission> {
  // Money first: a call that is not paid for must not take a place in the lane's pace from another run.
  const reservation = await pay(work, images);
  try {
    return { reservation, permit: await waitToStart(work, images) };
  } catch (error) {
    await reservation.settle(0);
    throw error;
  }
}

async function pay(work: AnyWork, images: number): Promise<Reservation> {
  const { lane, run, data } = work;
  if (run.file.maxCostUsd === null) return unlimited;
  for (;;) {
    const reservation = await reserve(work, images, lane.budget(data.run));
    if (reservation) return reservation;
    await delay(askAgainMs);
    // Throws where the job has to leave.
    lane.gate.mayStart(data.run);
  }
}

async function reserve(
  work: AnyWork,
  images: number,
  ledger: BudgetLedger,
): Promise<Reservation | undefined> {
  const price = priceOfCall(work.run.card, plannedCall(work, images));
  // The producer rejects such rows: this worker knows fewer prices than it does.
  if (!price) {
    const message = `worker ${work.lane.worker} knows no price for this call, so --max-cost cannot be kept`;
    work.lane.log.error(logFields(work), message);
    throw new HandBack(message, unknownPriceDelayMs);
  }
  const call = randomUUID();
  const amount = toMicroUsd(price.atMostUsd);
  const life = await ledger.reserve(call, amount, work.lane.worker);
  if (life === undefined) return undefined;
  return {
    settle: async (usd) => {
      const cost = usd === undefined ? amount : toMicroUsd(usd);
      await insist(work, () => ledger.settle(call, cost, life));
    },
  };
}

/** A reservation that is never settled stays spent: while Redis takes nothing it is worth waiting. */
async function insist({ lane }: AnyWork, settle: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await settle();
    } catch (error) {
      if (!isQueueError(error) || lane.abandoned.aborted) throw error;
      await delay(askAgainMs);
    }
  }
}

/** What the record of a failed call says of its cost. */
export function mayCost(
  work: AnyWork,
  images: number,
  failure: ProviderError,
): Pick<AttemptRecord, "mayCostUsd"> {
  const price = mayBeCharged(failure) && priceOfCall(work.run.card, plannedCall(work, images));
  return price ? { mayCostUsd: price.atMostUsd } : {};
}

/** Answers of gateways: what is behind them may have made the images all the same. */
const unsureStatuses: ReadonlySet<number> = new Set([408, 499, 502, 504, 522, 524]);

/** Whether a provider may charge for a call that failed: it had the call, and has not refused it. */
export function mayBeCharged({ sent, status, kind, moderationStage }: ProviderError): boolean {
  if (!sent) return false;
  if (status === undefined || status < 300 || unsureStatuses.has(status)) return true;
  return kind === "content_policy" && moderationStage === "output";
}
