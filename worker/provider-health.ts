import { backoffMs } from "./backoff.ts";

/** So many different prompts failing in a row, with no success between, are not the prompts' fault. */
const suspectPrompts = 5;
/** The same where each of them has failed before, while others were answered. */
const knownSuspects = 20;
/**
 * Of a provider that has answered nothing yet: after so many probes that it took and did not answer in time, the time is too
 * short, or nothing works. Each of them may be charged.
 */
const mostVainProbes = 4;

/** What is known of a call that found no provider. */
export interface MissedCall {
  /** The provider took it, and did not answer in time. */
  isLate?: boolean;
  /** The prompt failed before, and others were answered since: that it fails again says little of the provider. */
  isSuspect?: boolean;
}

/**
 * Tells a provider that is away from a prompt that it cannot serve. While it is away one call at a time probes it, and
 * no attempt is burned.
 */
export class ProviderHealth {
  readonly #failing = new Set<string>();
  readonly #failingAgain = new Set<string>();
  readonly #now: () => number;
  #away = false;
  #probes = 0;
  #vainProbes = 0;
  #hasAnswered = false;
  #probing = false;
  #nextProbeAt = 0;
  #foundAwayAt = -Infinity;
  #returnedAt = -Infinity;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  get away(): boolean {
    return this.#away;
  }

  /** When it was last found to be away, in milliseconds by the clock; -Infinity: never. */
  get foundAwayAt(): number {
    return this.#foundAwayAt;
  }

  /** When it last answered after it had been away, by the same clock; -Infinity: never. */
  get returnedAt(): number {
    return this.#returnedAt;
  }

  /** Whether a call is out, or about to go out, that shows whether the provider is back. */
  get probing(): boolean {
    return this.#probing;
  }

  /** Whether more probes would only cost money: the provider has never answered a call, but takes them. */
  get isInVain(): boolean {
    return !this.#hasAnswered && this.#vainProbes >= mostVainProbes;
  }

  /** Milliseconds until a call may start: 0 now, Infinity while a probe is out. */
  get waitMs(): number {
    if (!this.#away) return 0;
    return this.#probing ? Infinity : Math.max(0, this.#nextProbeAt - this.#now());
  }

  /** A call starts; while the provider is away it is the probe. */
  started(): void {
    if (this.#away) this.#probing = true;
  }

  /** The provider answered sensibly, be it with a refusal. True where it had been away. */
  answered(): boolean {
    const was = this.#away;
    this.#failing.clear();
    this.#failingAgain.clear();
    if (was) this.#returnedAt = this.#now();
    this.#away = false;
    this.#probing = false;
    this.#probes = 0;
    this.#vainProbes = 0;
    this.#hasAnswered = true;
    return was;
  }

  /** A call of `prompt` found no provider. `sent` is false where no connection came about. True where it is now away. */
  missed(prompt: string, sent: boolean, { isLate, isSuspect }: MissedCall = {}): boolean {
    (isSuspect ? this.#failingAgain : this.#failing).add(prompt);
    const doubt = this.#failing.size / suspectPrompts + this.#failingAgain.size / knownSuspects;
    const isAway = !sent || doubt >= 1;
    if (isAway && !this.#away) this.#foundAwayAt = this.#now();
    this.#away ||= isAway;
    if (this.#away && (this.#probing || this.#probes === 0)) {
      this.#probes += 1;
      this.#vainProbes = isLate ? this.#vainProbes + 1 : 0;
      this.#probing = false;
      this.#nextProbeAt = this.#now() + Math.min(30_000, backoffMs(this.#probes));
    }
    return this.#away;
  }

  /** A call ended without telling anything of the provider. */
  abandoned(): void {
    this.#probing = false;
  }
}
