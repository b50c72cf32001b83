import type { Heartbeat } from "../../shared/heartbeat.ts";
import { html, type Html } from "../../shared/html.ts";
import { lowestLimits } from "../../shared/lane-limits.ts";
import { type MonitorContext, seeQueues } from "../context.ts";
import type { LaneSnapshot } from "../lane-view.ts";
import type { SeenLane } from "../queue-sources.ts";
import type { Page, PageRequest } from "../page.ts";
import { count, plural } from "../../shared/quantity.ts";
import { countdown, milliseconds, words } from "./format.ts";
import { action, figure, live } from "./layout.ts";
import { redisTrouble } from "./runs-page.ts";

/** Lanes with their limits and jobs, and the workers that serve them. */
export async function lanesPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const { lanes, trouble } = await seeQueues(context);
  const main = html`<h1>Lanes and workers</h1>
    ${live("trouble", redisTrouble(trouble))}
    ${live("lanes", lanes.length > 0 ? lanes.map((one) => card(one, context, request)) : empty())}`;
  return { title: "Lanes and workers", section: "lanes", main };
}

function empty(): Html {
  return html`<div class="empty">
    <h2>No lane</h2>
    <p>
      A lane is the queue of one provider and model. It appears with the first run that uses it,
      over the Redis of REDIS_URL or a run's own.
    </p>
  </div>`;
}

function card({ snapshot, source }: SeenLane, context: MonitorContext, request: PageRequest): Html {
  const { lane, card: of, workers, stuck, state } = snapshot;
  const { pause } = state;
  const fields = { lane, source: source.name };
  const button = action(
    request,
    pause
      ? { path: "/lanes/unpause", text: "Unpause", fields, kind: "primary" }
      : { path: "/lanes/pause", text: "Pause lane", fields },
  );
  return html`<section class="card lane" aria-label="Lane ${lane}">
    <div class="head">
      <div>
        <h2>${of.model} <span class="soft">by ${of.profile.name}</span></h2>
        <p class="soft"><code>${lane}</code></p>
      </div>
      <div class="actions">${badge(snapshot)}${button}</div>
    </div>
    ${pause ? html`<p class="note warn"><b>Paused (${words(pause.kind)}):</b> ${pause.reason}</p>` : ""}
    ${state.holdMs > 0 ? html`<p class="note warn">Waits for the rate limit, goes on ${countdown(request.now + state.holdMs, request.now)}.</p>` : ""}
    ${stuck > 0 ? html`<p class="note bad">${plural(stuck, "prompt waits", "prompts wait")} for sub-jobs of which none is left; the run's producer adds what is missing again.</p>` : ""}
    ${figures(snapshot, request.now)} ${runs(snapshot, context)}
    ${workers.length > 0 ? table(workers) : html`<p class="note bad">No living worker serves this lane: resume a run that works by itself, or start <code>imagemill work</code>.</p>`}
  </section>`;
}

function badge({ state, workers }: LaneSnapshot): Html {
  if (state.pause) return html`<span class="badge is-paused">paused</span>`;
  if (state.holdMs > 0) return html`<span class="badge is-waiting">held</span>`;
  return workers.some(({ calls }) => calls.length > 0)
    ? html`<span class="badge is-running">working</span>`
    : html`<span class="badge">idle</span>`;
}

function figures(snapshot: LaneSnapshot, now: number): Html {
  const { jobs, pace, oldestWaitingSince, workers, state } = snapshot;
  const limits = lowestLimits(Array.from(state.runs.values(), (run) => run.limits));
  const calls = workers.reduce((sum, worker) => sum + worker.calls.length, 0);
  const slots = workers.reduce((sum, worker) => sum + (worker.fit ? worker.concurrency : 0), 0);
  const oldest = oldestWaitingSince === undefined ? "–" : milliseconds(now - oldestWaitingSince);
  const known = minute(limits.imagesPerMinute ?? pace?.hintImages) ?? "–";
  const tokens = minute(limits.tokensPerMinute ?? pace?.hintTokens);
  return html`<dl class="figures">
    ${figure("In flight", `${count(calls)} of ${count(slots)}`)}
    ${figure("Waiting", count(jobs.wait))} ${figure("Delayed", count(jobs.delayed))}
    ${figure("With sub-jobs", count(jobs["waiting-children"]))} ${figure("Longest wait", oldest)}
    ${figure("Image limit", known)} ${tokens === undefined ? "" : figure("Token limit", tokens)}
    ${figure("Learned rate", minute(pace?.imagesPerMinute) ?? "–")}
    ${figure("Call window", pace?.window === undefined ? "–" : count(Math.round(pace.window)))}
  </dl>`;
}

function minute(value: number | undefined): string | undefined {
  return value === undefined ? undefined : `${count(Math.round(value))}/min`;
}

function runs({ state, produced }: LaneSnapshot, { store }: MonitorContext): Html {
  const items = Array.from(state.runs.values(), ({ run, state: how, host, location, reason }) => {
    const name = location.split("/").at(-1) ?? run;
    const link = store.find(run) ? html`<a href="/runs/${run}">${name}</a>` : html`${name}`;
    const producer = produced.has(run) ? "" : ", its producer is gone";
    const why = reason === undefined ? "" : ` (${reason})`;
    return html`<li>${link} <span class="soft">${how}${why}${producer}, fed by ${host}</span></li>`;
  });
  return html`<ul class="inline">
    ${items}
  </ul>`;
}

function table(workers: readonly Heartbeat[]): Html {
  const rows = workers.map(
    ({ worker, host, version, calls, concurrency, rssBytes, fit, waiting }) =>
      html`<tr>
        <th scope="row">${worker}<span class="soft">${host}</span></th>
        <td data-name="In flight" class="number">${calls.length} of ${concurrency}</td>
        <td data-name="Memory" class="number">${`${count(Math.round(rssBytes / 1e6))} MB`}</td>
        <td data-name="Version" class="number">${version}</td>
        <td data-name="State" class="wide">
          ${fit ? (waiting ?? "") : html`<b class="bad">its key is refused</b>`}
        </td>
      </tr>`,
  );
  return html`<table class="list">
    <thead>
      <tr>
        <th scope="col">Worker</th>
        <th scope="col" class="number">In flight</th>
        <th scope="col" class="number">Memory</th>
        <th scope="col" class="number">Version</th>
        <th scope="col">What it waits for</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}
