import type { SimulatorSettings } from "./settings.ts";

/** How an answer tells the client to wait. */
export interface RetryAfter {
  headers: Record<string, string>;
  /** ` Please try again in 1.5s.` where the text of the error shall say it. */
  sentence: string;
}

/** A duration as OpenAI writes it: `120ms`, `12s`, `1m2.5s`. */
export function shortDuration(durationMs: number): string {
  const whole = Math.ceil(durationMs);
  if (whole < 1000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  return `${minutes > 0 ? `${minutes}m` : ""}${(whole - minutes * 60_000) / 1000}s`;
}

/** Each form for a wait of so many milliseconds. HTTP dates have whole seconds: the next one, never too short a wait. */
const forms: Record<SimulatorSettings["retryAfter"], (waitMs: number) => RetryAfter> = {
  seconds: (waitMs) => ({
    headers: { "retry-after": String(Math.ceil(waitMs / 1000)) },
    sentence: sentence(waitMs),
  }),
  date: (waitMs) => {
    const at = Math.ceil((Date.now() + waitMs) / 1000) * 1000;
    return { headers: { "retry-after": new Date(at).toUTCString() }, sentence: "" };
  },
  ms: (waitMs) => ({ headers: { "retry-after-ms": String(Math.ceil(waitMs)) }, sentence: "" }),
  message: (waitMs) => ({ headers: {}, sentence: sentence(waitMs) }),
  none: () => ({ headers: {}, sentence: "" }),
};

function sentence(waitMs: number): string {
  return ` Please try again in ${shortDuration(waitMs)}.`;
}

/** Tells to wait for `waitMs` in the form that is set; says nothing where the wait is undefined. */
export function retryAfter(
  form: SimulatorSettings["retryAfter"],
  waitMs: number | undefined,
): RetryAfter {
  return waitMs === undefined ? { headers: {}, sentence: "" } : forms[form](waitMs);
}
