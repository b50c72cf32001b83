import { cutText } from "../../shared/cut-text.ts";
import { html, type Html } from "../../shared/html.ts";
import { type MonitorContext, runOf, seeQueues } from "../context.ts";
import type { Page, PageRequest } from "../page.ts";
import type { SeenLane } from "../queue-sources.ts";
import type { SuspectJob, WaitingRetry } from "../retries.ts";
import { groupRetries, matching, readFilter, type RetryFilter } from "../retry-filter.ts";
import { viewRun } from "../run-view.ts";
import { count, plural } from "../../shared/quantity.ts";
import { ago } from "./format.ts";
import { action, figure, live } from "./layout.ts";
import { kindBadge, retryTable } from "./retry-table.ts";
import { runHead } from "./run-head.ts";
import { redisTrouble } from "./runs-page.ts";

/** Every prompt that waits for another attempt, of all runs. */
export async function retriesPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const { lanes, trouble } = await seeQueues(context);
  const body = await retriesBody(context, lanes, request, {});
  const main = html`<h1>Retries</h1>
    ${live("trouble", redisTrouble(trouble))}${body}`;
  return { title: "Retries", section: "retries", main };
}

/** The same of one run. */
export async function runRetriesPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const run = await runOf(context, request.parameters["id"]);
  const { lanes } = await seeQueues(context);
  const view = viewRun(run, lanes, request.now);
  const own = view.lane ? [view.lane] : [];
  const body = await retriesBody(context, own, request, { run: view.id });
  const main = html`${runHead(view, "retries", request)}${body}`;
  return { title: `Retries of ${view.name}`, section: "runs", main };
}

async function retriesBody(
  context: MonitorContext,
  lanes: readonly SeenLane[],
  request: PageRequest,
  scope: RetryFilter,
): Promise<Html> {
  const seen = await Promise.all(lanes.map(({ view }) => view.retries()));
  const all = matching(
    seen.flatMap(({ retries }) => retries),
    scope,
  );
  const filter = { ...readFilter((name) => request.query.get(name)), ...scope };
  const shown = matching(all, filter);
  const suspects = seen
    .flatMap((one) => one.suspects)
    .filter(({ run }) => scope.run === undefined || run === scope.run);
  const stuck = lanes.reduce((sum, { snapshot }) => sum + snapshot.stuck, 0);
  const lost = seen.reduce((sum, one) => sum + one.lost.length, 0);
  return html`${live("moved", moved(request))}
  ${live("figures", figures(all, suspects, stuck, lost))}
  ${live("groups", groups(all, filter, scope, request))}
  ${live("bulk", bulk(shown, filter, request))}
  ${live("retries", retryTable(context, shown, filter, request))}
  ${live("suspects", suspectList(suspects))}`;
}

function moved({ query }: PageRequest): Html {
  const number = Number(query.get("moved") ?? NaN);
  if (!Number.isSafeInteger(number) || number < 0) return html``;
  const text = `${plural(number, "retry was", "retries were")} brought forward: ${number === 1 ? "it is" : "they are"} tried as soon as a call may start.`;
  return html`<p class="note" role="status">${text}</p>`;
}

function figures(
  all: readonly WaitingRetry[],
  suspects: readonly SuspectJob[],
  stuck: number,
  lost: number,
): Html {
  const of = (state: WaitingRetry["state"]) => all.filter((retry) => retry.state === state).length;
  return html`<dl class="figures">
    ${figure("Waiting for their time", count(of("delayed")))}
    ${figure("Due, in the queue", count(of("waiting")))}
    ${figure("Being tried now", count(of("active")))}
    ${figure("Stalled", count(lost), lost > 0 ? "bad" : "")}
    ${figure("Quarantined", count(suspects.length), suspects.length > 0 ? "bad" : "")}
    ${figure("Stuck", count(stuck), stuck > 0 ? "bad" : "")}
  </dl>`;
}

function hrefOf({ kind, group }: RetryFilter): string {
  const query = new URLSearchParams();
  if (kind !== undefined) query.set("kind", kind);
  if (group !== undefined) query.set("group", group);
  return `?${query.toString()}`;
}

function groups(
  all: readonly WaitingRetry[],
  filter: RetryFilter,
  scope: RetryFilter,
  { now }: PageRequest,
): Html {
  const items = groupRetries(all).map(({ id, example, count: number, firstAt, lastAt }) => {
    const last = example.attempts.at(-1)!;
    const isChosen = filter.group === id;
    const href = hrefOf(isChosen ? scope : { group: id });
    return html`<li>
      <a
        href="${href}"
        class="choice"
        ${isChosen ? html`aria-current="true"` : ""}
        id="group-${id}"
      >
        <b>${count(number)}</b>
        <span>
          ${kindBadge(last)}
          <span class="message">${cutText(last.message ?? "", 240)}</span>
          <span class="soft"
            >first ${ago(firstAt, now)}, last ${ago(lastAt, now)} · for example prompt
            ${example.index}</span
          >
        </span>
      </a>
    </li>`;
  });
  if (items.length === 0) return html``;
  return html`<h2>By what went wrong</h2>
    <ul class="choices">
      ${items}
    </ul>`;
}

function bulk(shown: readonly WaitingRetry[], filter: RetryFilter, request: PageRequest): Html {
  const delayed = shown.filter(({ state }) => state === "delayed").length;
  if (delayed === 0) return html``;
  const { group, kind } = filter;
  const which = group === undefined && kind === undefined ? "" : " of this group";
  const clear = which === "" ? "" : html`<a href="?" class="button">Show all</a>`;
  const button = action(request, {
    path: "/retries/try-now",
    text: `Try ${plural(delayed, "retry", "retries")}${which} now`,
    fields: Object.fromEntries(Object.entries(filter)),
    kind: "primary",
  });
  return html`<div class="bulk">
    ${button}${clear}
    <p class="soft">They do not wait for their time any more; the lane's limits hold as before.</p>
  </div>`;
}

function suspectList(suspects: readonly SuspectJob[]): Html {
  if (suspects.length === 0) return html``;
  const items = suspects.map(({ run, index, deaths, isActive }) => {
    const alone = deaths.alone > 0 ? `, ${count(deaths.alone)} of them alone` : "";
    const died = deaths.inCompany + deaths.alone;
    return html`<li>
      <p>
        <a href="/runs/${run}/prompts/${index}">Prompt ${index}</a>
        ${isActive ? "runs now" : "waits"}
      </p>
      <p class="soft">${plural(died, "worker has", "workers have")} died with it in hand${alone}</p>
    </li>`;
  });
  return html`<h2>Quarantined</h2>
    <p class="soft">
      Workers died with these in hand. From the second death on a prompt runs alone, after others
      that do; after three deaths alone it fails as crashed.
    </p>
    <ul class="problems">
      ${items}
    </ul>`;
}
