import { attemptLimits } from "../../shared/failure.ts";
import { cutText } from "../../shared/cut-text.ts";
import { html, type Html } from "../../shared/html.ts";
import { count } from "../../shared/quantity.ts";
import type { AttemptRecord } from "../../shared/result.ts";
import type { MonitorContext } from "../context.ts";
import type { PageRequest } from "../page.ts";
import type { WaitingRetry } from "../retries.ts";
import type { RetryFilter } from "../retry-filter.ts";
import { countdown, cut, words } from "./format.ts";
import { action } from "./layout.ts";

/** Rows of the table: the ones that are due next. */
const mostRows = 200;

/** Which retries there are, with what went wrong, when each is tried next, and a button to do so now. */
export function retryTable(
  context: MonitorContext,
  shown: readonly WaitingRetry[],
  filter: RetryFilter,
  request: PageRequest,
): Html {
  if (shown.length === 0) {
    return html`<div class="empty">
      <h2>Nothing waits for another attempt</h2>
      <p>
        Calls that failed and are worth another try stand here, with what went wrong and when they
        are tried next.
      </p>
    </div>`;
  }
  const rows = shown.slice(0, mostRows).map((retry) => row(context, retry, filter, request));
  const more = shown.length > mostRows ? `and ${count(shown.length - mostRows)} more` : "";
  return html`<table class="list retries">
      <thead>
        <tr>
          <th scope="col">Prompt</th>
          <th scope="col">Attempt</th>
          <th scope="col">What went wrong</th>
          <th scope="col">Next try</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
    <p class="soft">${more}</p>`;
}

function row(
  { store }: MonitorContext,
  retry: WaitingRetry,
  filter: RetryFilter,
  request: PageRequest,
): Html {
  const { run, index, prompt, attempts, attempt, generations, state, job } = retry;
  const last = attempts.at(-1)!;
  const known = store.find(run);
  const href = `/runs/${run}/prompts/${index}`;
  const part = generations ? html`<span class="soft">${imagesText(generations)}</span>` : "";
  const now = action(request, {
    path: "/retries/try-now",
    text: "Try now",
    fields: { ...filter, job },
    kind: "small",
  });
  return html`<tr>
    <th scope="row">
      ${known ? html`<a href="${href}">#${index}</a>` : `#${index}`} ${cut(prompt, 90)} ${part}
    </th>
    <td data-name="Attempt" class="attempt">
      ${attemptText(attempt, attemptsOf(known?.file.attempts, attempts))}
    </td>
    <td data-name="What went wrong" class="wide">
      ${kindBadge(last)}
      <p class="message">${cutText(last.message ?? "", 300)}</p>
    </td>
    <td data-name="Next try" class="next">
      <div>${nextText(retry, request.now)}${state === "delayed" ? now : ""}</div>
    </td>
  </tr>`;
}

function imagesText(generations: readonly number[]): string {
  const numbers = generations.map((generation) => generation + 1).join(", ");
  return generations.length === 1 ? `image ${numbers}` : `images ${numbers}`;
}

/** How many attempts there can be: of some kinds of failure fewer alike than the run allows. */
function attemptsOf(
  ofRun: number | undefined,
  attempts: readonly AttemptRecord[],
): number | undefined {
  const { outcome } = attempts.at(-1)!;
  const limit = outcome === "ok" ? undefined : attemptLimits[outcome];
  if (limit === undefined || ofRun === undefined) return ofRun;
  const others = attempts.filter((one) => one.burned && one.outcome !== outcome).length;
  return Math.min(ofRun, others + limit);
}

/** `2 of 8`. */
export function attemptText(attempt: number, of: number | undefined): Html {
  return html`<b>${attempt}</b>${of === undefined ? "" : ` of ${of}`}`;
}

/** When a job is tried next. */
export function nextText({ state, dueAt }: WaitingRetry, now: number): Html {
  if (state === "active") return html`<span class="badge is-running">being tried</span>`;
  if (dueAt === undefined) return html`<span class="badge is-waiting">in the queue</span>`;
  return countdown(dueAt, now);
}

/** What went wrong, as a mark: what burns no attempt looks milder. */
export function kindBadge({ outcome, burned, status }: AttemptRecord): Html {
  const held = burned ? "" : "is-held";
  const code = status === undefined ? "" : html` <span class="soft">HTTP ${status}</span>`;
  return html`<span class="badge kind ${held}">${words(outcome)}</span>${code}`;
}
