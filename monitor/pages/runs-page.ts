import { html, type Html } from "../../shared/html.ts";
import { type MonitorContext, seeQueues } from "../context.ts";
import { type Page, type PageRequest, wholeNumber } from "../page.ts";
import { isUnderWay, type RunView, viewRun } from "../run-view.ts";
import { count, plural } from "../../shared/quantity.ts";
import { conditionBadge, progressBar } from "./condition.ts";
import { ago, dollars, rate } from "./format.ts";
import { figure, live } from "./layout.ts";
import { pager } from "./pager.ts";

/** A page is sent again with every change. */
const pageSize = 100;

/** All runs, those under way first. */
export async function runsPage(
  context: MonitorContext,
  { now, query }: PageRequest,
): Promise<Page> {
  const { lanes, trouble } = await seeQueues(context);
  const views = context.store.all().map((run) => viewRun(run, lanes, now));
  const sorted = views.toSorted(
    (a, b) => Number(isUnderWay(b.condition)) - Number(isUnderWay(a.condition)),
  );
  const pages = Math.max(1, Math.ceil(sorted.length / pageSize));
  const page = wholeNumber(query.get("page"), 1, pages);
  const shown = sorted.slice((page - 1) * pageSize, page * pageSize);
  const main = html`<h1>Runs</h1>
    ${live("trouble", redisTrouble(trouble))}
    ${live("sums", sorted.length > 0 ? sums(sorted) : html``)}
    ${live("runs", shown.length > 0 ? table(shown, now) : empty())}
    ${live("pages", pager(page, pages))}`;
  return { title: "Runs", section: "runs", main };
}

/** Says that Redis is away, where it is. */
export function redisTrouble(trouble: string | undefined): Html {
  if (trouble === undefined) return html``;
  return html`<p class="note bad">
    Redis cannot be reached, so what is under way is not shown: ${trouble}
  </p>`;
}

function sums(views: readonly RunView[]): Html {
  const underWay = views.filter(({ condition }) => isUnderWay(condition));
  const rates = underWay.reduce((sum, view) => sum + (view.imagesPerSecond ?? 0), 0);
  const inFlight = new Map(
    underWay.flatMap(({ lane }) => (lane ? [[lane.snapshot.lane, lane]] : [])),
  );
  const calls = [...inFlight.values()]
    .flatMap(({ snapshot }) => snapshot.workers)
    .reduce((sum, worker) => sum + worker.calls.length, 0);
  const spent = views.reduce((sum, { totals }) => sum + (totals.costUsd ?? 0), 0);
  const images = views.reduce((sum, { totals }) => sum + totals.images, 0);
  return html`<dl class="figures">
    ${figure("Under way", count(underWay.length))} ${figure("Images/s", rate(rates))}
    ${figure("Calls in flight", count(calls))} ${figure("Images of all runs", count(images))}
    ${figure("Cost of all runs", dollars(spent))}
  </dl>`;
}

function table(views: readonly RunView[], now: number): Html {
  return html`<table class="list runs">
    <thead>
      <tr>
        <th scope="col">Run</th>
        <th scope="col">State</th>
        <th scope="col">Progress</th>
        <th scope="col" class="number">Images/s</th>
        <th scope="col" class="number">Images</th>
        <th scope="col" class="number">Failed</th>
        <th scope="col" class="number">Retries</th>
        <th scope="col" class="number">Cost</th>
        <th scope="col" class="number">Started</th>
      </tr>
    </thead>
    <tbody>
      ${views.map((view) => row(view, now))}
    </tbody>
  </table>`;
}

function row(view: RunView, now: number): Html {
  const { id, name, file, totals, condition, trouble } = view;
  const bad = totals.prompts.partial + totals.prompts.failed;
  return html`<tr>
    <th scope="row">
      <a href="/runs/${id}">${name}</a>
      <span class="soft">${file.model} · ${plural(file.numGenerations, "image")} a prompt</span>
      ${trouble === undefined ? "" : html`<span class="bad">cannot be read to its end</span>`}
    </th>
    <td data-name="State">${conditionBadge(condition)}</td>
    <td data-name="Progress">${progressBar(view)}</td>
    <td data-name="Images/s" class="number">${rate(view.imagesPerSecond)}</td>
    <td data-name="Images" class="number">${count(totals.images)}</td>
    <td data-name="Failed" class="number ${bad > 0 ? "bad" : ""}">${count(bad)}</td>
    <td data-name="Retries" class="number">${count(totals.retries)}</td>
    <td data-name="Cost" class="number">${dollars(totals.costUsd)}</td>
    <td data-name="Started" class="number">${ago(Date.parse(file.createdAt), now)}</td>
  </tr>`;
}

function empty(): Html {
  return html`<div class="empty">
    <h2>No run yet</h2>
    <p>Runs appear here as soon as one starts in a folder that the monitor looks at:</p>
    <pre>imagemill run prompts.jsonl --model gpt-image-2</pre>
  </div>`;
}
