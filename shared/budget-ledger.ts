import { z } from "zod";
import { pipelineValues } from "./lane-state.ts";
import type { RedisClient } from "./redis.ts";

/** Money in millionths of a US dollar: whole numbers, so that sums are exact. */
export type MicroUsd = number;

/** Rounds up: what is spent is never counted as less. */
export function toMicroUsd(usd: number): MicroUsd {
  return Math.ceil(Math.round(usd * 1e9) / 1e3);
}

/** What the ledger of a run's budget says. */
export interface BudgetState {
  /** Changes when the ledger was lost and made anew. */
  life: string;
  /** No reservation is granted above it. The producer raises it, never above what it has put on its disk. */
  limit: MicroUsd;
  /** Everything that was spent, may have been spent or is reserved, over all lives of the run. */
  spent: MicroUsd;
  /** The smallest reservation that was refused since the producer last looked. */
  wanted: MicroUsd | undefined;
  /** Reservations that nobody has settled; those of dead workers are among them, and stay spent. */
  open: { worker: string; amount: MicroUsd }[];
}

const Fields = z.record(z.string(), z.string());

// A command whose reply was lost may be sent again: a second reservation of the same call changes nothing.
const reserveScript = `
local life = redis.call('hget', KEYS[1], 'life')
if not life then return false end
local call, amount = 'call:' .. ARGV[1], tonumber(ARGV[2])
if redis.call('hexists', KEYS[1], call) == 1 then return life end
local ledger = redis.call('hmget', KEYS[1], 'limit', 'spent', 'wanted')
if tonumber(ledger[2]) + amount > tonumber(ledger[1]) then
  if not ledger[3] or amount < tonumber(ledger[3]) then redis.call('hset', KEYS[1], 'wanted', ARGV[2]) end
  return false
end
redis.call('hincrby', KEYS[1], 'spent', ARGV[2])
redis.call('hset', KEYS[1], call, ARGV[2] .. ':' .. ARGV[3])
return life`;

// A ledger made anew counts every reservation of its earlier lives as spent, whatever becomes of it. One that lacks a
// reservation of its own life has lost it to a failover: then what the call cost is added.
const settleScript = `
if redis.call('hget', KEYS[1], 'life') ~= ARGV[3] then return 0 end
local open = redis.call('hget', KEYS[1], 'call:' .. ARGV[1])
local reserved = open and string.match(open, '^%d+') or '0'
redis.call('hincrby', KEYS[1], 'spent', string.format('%.0f', tonumber(ARGV[2]) - tonumber(reserved)))
redis.call('hdel', KEYS[1], 'call:' .. ARGV[1])
return 1`;

const openScript = `
redis.call('hset', KEYS[1], 'life', ARGV[1], 'spent', ARGV[2], 'limit', ARGV[3])
redis.call('hdel', KEYS[1], 'wanted')`;

const raiseScript = `
if redis.call('hget', KEYS[1], 'life') ~= ARGV[1] then return 0 end
redis.call('hset', KEYS[1], 'limit', ARGV[2])
return 1`;

/**
 * The budget that all workers of a run share: a hash in Redis. Whatever is lost of it, the producer counts as spent all
 * that it ever allowed (`limit`), so the run never spends more than it has put on its disk.
 */
export class BudgetLedger {
  readonly #redis: RedisClient;
  readonly #key: string;

  constructor(redis: RedisClient, key: string) {
    this.#redis = redis;
    this.#key = key;
  }

  /**
   * Takes `amount` out of the budget before a call is sent. Gives the ledger's life, which settling asks for; undefined
   * where the amount does not fit now, or the ledger is lost and not yet made anew.
   */
  async reserve(call: string, amount: MicroUsd, worker: string): Promise<string | undefined> {
    const life = await this.#redis.eval(reserveScript, 1, this.#key, call, amount, worker);
    return z.string().nullable().parse(life) ?? undefined;
  }

  /** Puts what a call cost, or may have cost, in place of its reservation. */
  async settle(call: string, cost: MicroUsd, life: string): Promise<void> {
    await this.#redis.eval(settleScript, 1, this.#key, call, cost, life);
  }

  /** What the ledger says; undefined where there is none. Forgets what was refused so far. */
  async look(): Promise<BudgetState | undefined> {
    const replies = await this.#redis
      .pipeline()
      .hgetall(this.#key)
      .hdel(this.#key, "wanted")
      .exec();
    const { life, limit, spent, wanted, ...calls } = Fields.parse(pipelineValues(replies)[0]);
    if (life === undefined) return undefined;
    return {
      life,
      limit: Number(limit),
      spent: Number(spent),
      wanted: wanted === undefined ? undefined : Number(wanted),
      open: Object.values(calls).map((text) => {
        const [amount, ...worker] = text.split(":");
        return { amount: Number(amount), worker: worker.join(":") };
      }),
    };
  }

  /** Makes the ledger, or sets its sums; reservations stay. */
  async open({ life, spent, limit }: Pick<BudgetState, "life" | "spent" | "limit">): Promise<void> {
    await this.#redis.eval(openScript, 1, this.#key, life, spent, limit);
  }

  /** Sets the limit of the ledger of this life; nothing where it was lost meanwhile. */
  async raise(life: string, limit: MicroUsd): Promise<void> {
    await this.#redis.eval(raiseScript, 1, this.#key, life, limit);
  }

  async remove(): Promise<void> {
    await this.#redis.del(this.#key);
  }
}
