import type { FailureKind } from "../shared/failure.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import type { LaneState } from "../shared/lane-state.ts";
import { plural } from "../shared/quantity.ts";
import { canaryPrompts } from "./capacity.ts";

/** Why a run ends before its dataset does. */
export interface StopReason {
  state: "stopped" | "cancelled";
  /** What happened and what to do. */
  text: string;
  /** Workers could store no image for too long: what they still hold waits for that alone. */
  isStorageAway?: true;
  /** All that was settled was refused alike, which may be due to something else than the prompts. */
  isRefusedAlike?: true;
}

const advice: Partial<Record<FailureKind, string>> = {
  auth: "give a key that the provider accepts, then run the same command again",
  quota: "top up the account or raise its limit, then run the same command again",
  timeout: "give a longer --timeout, then run the same command again",
  model_gone: "the model cannot be used: start a new run with another --model",
};

/** The reason to stop that a lane's pause is, if a person has to do something about it. */
export function stopOfPause({ pause }: Pick<LaneState, "pause">): StopReason | undefined {
  if (!pause || pause.kind === "person") return undefined;
  const what = advice[pause.kind] ?? "mend the cause, then run the same command again";
  return { state: "stopped", text: `${pause.kind}: ${pause.reason} (${what})` };
}

/**
 * Watches the first results of a run: if they are all refused alike, the rest would be, too, or would have been.
 * Then looks for more failures than `maxFailures`.
 */
export class FailureWatch {
  readonly #maxFailures: number | undefined;
  #first: Set<string> | undefined;
  #seen = 0;
  #failed = 0;
  /** Of the last failure. */
  #message: string | undefined;

  constructor(maxFailures: number | undefined, proven: boolean) {
    this.#maxFailures = maxFailures;
    this.#first = proven ? undefined : new Set();
  }

  /** Whether a prompt has come back right. */
  get proven(): boolean {
    return this.#first === undefined;
  }

  /** Most prompts that may be in flight as long as the first ones may all come to be refused alike. */
  get trialLeft(): number {
    return this.proven || this.#seen >= canaryPrompts ? Infinity : canaryPrompts - this.#seen;
  }

  /** Takes settled prompts; gives the reason to stop, if there is one now. */
  see(lines: readonly JournalLine[]): StopReason | undefined {
    for (const { state, failures } of lines) {
      if (state === "rejected") continue;
      if (state !== "succeeded") this.#failed += 1;
      if (state !== "failed") this.#first = undefined;
      this.#seen += 1;
      for (const { kind, status } of failures) this.#first?.add(`${kind} ${status ?? ""}`);
    }
    this.#message =
      lines.findLast(({ failures }) => failures[0])?.failures[0]?.message ?? this.#message;
    const alike = this.#refusedAlike();
    if (alike?.startsWith("invalid_request") && this.#seen >= canaryPrompts)
      return this.#refused(`the first ${this.#seen} prompts were all refused alike`, alike);
    if (this.#maxFailures !== undefined && this.#failed > this.#maxFailures) {
      return {
        state: "stopped",
        text: `${plural(this.#failed, "prompt")} failed, more than --max-failures ${this.#maxFailures} (see \`imagemill failures\`)`,
      };
    }
    return undefined;
  }

  /** Once all are settled: a 404 for each is no matter of the prompts, however few they are, but of a path or a server. */
  seeEnd(): StopReason | undefined {
    const alike = this.#refusedAlike();
    if (alike !== "invalid_request 404") return undefined;
    const all =
      this.#seen === 1
        ? "the only prompt was refused"
        : `the ${this.#seen} prompts were all refused alike`;
    return this.#refused(all, alike);
  }

  /** Kind and status, where every failure so far has the same and nothing has succeeded. */
  #refusedAlike(): string | undefined {
    return this.#first?.size === 1 ? [...this.#first][0]!.trim() : undefined;
  }

  #refused(which: string, alike: string): StopReason {
    const hint = alike.endsWith(" 404") ? "is the path in the base URL right? " : "";
    return {
      state: "stopped",
      isRefusedAlike: true,
      text:
        `${which} (${alike}): ${this.#message ?? alike} ` +
        `(${hint}once the server takes it, the same command tries all again; with other settings start a new run with another --out)`,
    };
  }
}
