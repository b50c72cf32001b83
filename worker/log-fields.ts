import type { AnyWork } from "./work.ts";

/** What every log line of a job carries: whose it is, and which try. */
export function logFields({ job, data, outcome }: AnyWork): object {
  const attempt = outcome.attempts.filter(({ burned }) => burned).length + 1;
  return { run: data.run, index: data.index, attempt, job: job.id };
}
