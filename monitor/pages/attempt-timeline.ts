import { cutText } from "../../shared/cut-text.ts";
import { html, type Html } from "../../shared/html.ts";
import type { AttemptRecord } from "../../shared/result.ts";
import { milliseconds } from "./format.ts";
import { kindBadge } from "./retry-table.ts";

/** From the first attempt's wait for the limiter to the last one's end. */
interface Span {
  /** In milliseconds since 1970. */
  start: number;
  ms: number;
}

/** Everything that was tried for a prompt, in order, each drawn where it lies in the whole time. */
export function attemptTimeline(attempts: readonly AttemptRecord[]): Html {
  if (attempts.length === 0) return html`<p class="soft">Nothing was tried yet.</p>`;
  const start = Math.min(
    ...attempts.map(({ startedAt, limiterMs }) => startedAt - (limiterMs ?? 0)),
  );
  const end = Math.max(...attempts.map(({ endedAt }) => endedAt));
  const span = { start, ms: Math.max(1, end - start) };
  return html`<ol class="timeline">
    ${attempts.map((attempt, i) => entry(attempt, i + 1, span))}
  </ol>`;
}

function entry(attempt: AttemptRecord, number: number, span: Span): Html {
  const { startedAt, endedAt, outcome, message } = attempt;
  const badge =
    outcome === "ok" ? html`<span class="badge is-succeeded">ok</span>` : kindBadge(attempt);
  return html`<li>
    <p class="attempt-head">
      <b>${number}</b> ${badge}
      <span class="soft"
        >at ${milliseconds(startedAt - span.start)}, for
        ${milliseconds(endedAt - startedAt)}${splitText(attempt)}</span
      >
    </p>
    ${bars(attempt, span)}
    ${message === undefined ? "" : html`<p class="message">${cutText(message, 1_000)}</p>`}
    <p class="soft">${details(attempt).join(" · ")}</p>
  </li>`;
}

/** The wait for the limiter, then the call. */
function bars({ startedAt, endedAt, limiterMs = 0, outcome, burned }: AttemptRecord, span: Span) {
  const percent = (ms: number) => ((100 * ms) / span.ms).toFixed(2);
  return html`<svg class="bar-of" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="1" />
    <rect
      class="wait"
      x="${percent(startedAt - limiterMs - span.start)}"
      width="${percent(limiterMs)}"
      height="1"
    />
    <rect
      class="${outcome === "ok" ? "ok" : burned ? "bad" : "held"}"
      x="${percent(startedAt - span.start)}"
      width="${Math.max(0.6, Number(percent(endedAt - startedAt)))}"
      height="1"
    />
  </svg>`;
}

function details({ generations, worker, requestId, burned }: AttemptRecord): string[] {
  return [
    `${generations.length === 1 ? "image" : "images"} ${generations.map((one) => one + 1).join(", ")}`,
    worker,
    ...(requestId === undefined ? [] : [requestId]),
    ...(burned ? [] : ["no attempt used up"]),
  ];
}

function splitText({ queuedMs, limiterMs, storingMs }: AttemptRecord): string {
  const parts = [
    ...(queuedMs === undefined ? [] : [`queue ${milliseconds(queuedMs)}`]),
    ...(limiterMs === undefined ? [] : [`limiter ${milliseconds(limiterMs)}`]),
    ...(storingMs === undefined ? [] : [`storing ${milliseconds(storingMs)}`]),
  ];
  return parts.length > 0 ? ` (${parts.join(", ")})` : "";
}
