import { html, type Html } from "../../shared/html.ts";
import type { RunCondition, RunView } from "../run-view.ts";
import { count } from "../../shared/quantity.ts";
import { seconds } from "./format.ts";

const titles: Record<RunCondition, string> = {
  running: "running",
  paused: "paused",
  stopping: "stopping",
  interrupted: "interrupted",
  completed: "complete",
  completed_with_failures: "complete with failures",
  stopped: "stopped",
  cancelled: "cancelled",
};

/** A run's condition as a mark of its own colour. */
export function conditionBadge(condition: RunCondition): Html {
  return html`<span class="badge is-${condition}">${titles[condition]}</span>`;
}

/** How far a run is, as a bar with its figures. */
export function progressBar(view: RunView): Html {
  const { settled, total, isEstimate, totals, condition, etaSeconds } = view;
  if (total === undefined || total === 0) {
    const text = condition === "running" ? "the dataset's end is not read yet" : "";
    return html`<div class="progress">
      <p><b>${count(settled)}</b> settled <span class="soft">${text}</span></p>
    </div>`;
  }
  const share = Math.min(1, settled / total);
  const bad = totals.prompts.partial + totals.prompts.failed + totals.prompts.rejected;
  const badShare = Math.min(share, bad / total);
  const eta =
    etaSeconds === undefined ? "" : html`<span class="soft">${seconds(etaSeconds)} left</span>`;
  return html`<div class="progress">
    <svg
      viewBox="0 0 100 1"
      preserveAspectRatio="none"
      role="img"
      aria-label="${Math.floor(share * 100)} % settled"
    >
      <rect class="track" width="100" height="1" />
      <rect class="done" width="${(100 * share).toFixed(2)}" height="1" />
      <rect
        class="bad"
        x="${(100 * (share - badShare)).toFixed(2)}"
        width="${(100 * badShare).toFixed(2)}"
        height="1"
      />
    </svg>
    <p>
      <b>${Math.floor(share * 100)} %</b>
      <span class="soft">${count(settled)} of ${isEstimate ? "about " : ""}${count(total)}</span>
      ${eta}
    </p>
  </div>`;
}
