import { attemptLimits } from "../../shared/failure.ts";
import { html, type Html } from "../../shared/html.ts";
import type { AttemptRecord } from "../../shared/result.ts";
import { type MonitorContext, runOf, seeQueues } from "../context.ts";
import type { Page, PageRequest } from "../page.ts";
import type { SeenLane } from "../queue-sources.ts";
import type { SuspectJob, WaitingRetry } from "../retries.ts";
import { groupRetries, matching, readFilter, type RetryFilter } from "../retry-filter.ts";
import { viewRun } from "../run-view.ts";
import { count, plural } from "../../shared/quantity.ts";
import { ago, countdown, cut, words } from "./format.ts";
import { action, figure, live } from "./layout.ts";
import { runHead } from "./run-head.ts";
import { redisTrouble } from "./runs-page.ts";

/** Rows of the table: the ones that are due next. */
const mostRows = 200;

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
  ${live("retries", table(context, shown, filter, request))}
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
          <span class="message">${(last.message ?? "").slice(0, 240)}</span>
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

/** What went wrong, as a mark: what burns no attempt looks milder. */
export function kindBadge({ outcome, burned, status }: AttemptRecord): Html {
  const held = burned ? "" : "is-held";
  const code = status === undefined ? "" : html` <span class="soft">HTTP ${status}</span>`;
  return html`<span class="badge kind ${held}">${words(outcome)}</span>${code}`;
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

function table(
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
      <p class="message">${(last.message ?? "").slice(0, 300)}</p>
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
      Workers died with these in hand. From the second death on a prompt runs alone; after two
      deaths alone it fails as crashed.
    </p>
    <ul class="problems">
      ${items}
    </ul>`;
}
