/** Asks for something, but not again where it was answered a moment ago. */
export interface Recent<T> {
  (): Promise<T>;
  /** The next one who asks gets a new answer. */
  forget(): void;
}

/** Asks at most once in `ms`: what was answered a moment ago is good enough for everybody who asks. */
export function recent<T>(ms: number, ask: () => Promise<T>): Recent<T> {
  let last: { at: number; answer: Promise<T> } | undefined;
  const get = () => {
    // The clock of the day may be set back.
    const now = performance.now();
    if (!last || now - last.at > ms) last = { at: now, answer: ask() };
    return last.answer;
  };
  return Object.assign(get, { forget: () => (last = undefined) });
}
