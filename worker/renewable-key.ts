import type { Profile } from "../shared/profile.ts";

/** The key of a profile as it is now: the source it came from is asked again when the provider refuses it. */
export class RenewableKey {
  readonly #read: (() => string | undefined) | undefined;
  #current: string | undefined;
  #isGivenUp = false;

  constructor({ apiKey, readKey }: Pick<Profile, "apiKey" | "readKey">) {
    this.#current = apiKey;
    this.#read = readKey;
  }

  get current(): string | undefined {
    return this.#current;
  }

  /** Whether there is another key than the one that was refused; reads it again unless another call has done so. */
  renew(refused: string | undefined): boolean {
    if (this.#current !== refused) return true;
    const found = this.#read?.();
    if (found === undefined || found === refused) return false;
    this.#current = found;
    return true;
  }

  /** Whether the key was refused and no other one was found since. */
  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** Reads a key that was given up again: true where there is another one now. */
  recover(): boolean {
    if (!this.#isGivenUp || !this.renew(this.#current)) return false;
    this.#isGivenUp = false;
    return true;
  }
}
