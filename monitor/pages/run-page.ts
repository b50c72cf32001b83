import { html, type Html } from "../../shared/html.ts";
import { type MonitorContext, runOf, seeQueues } from "../context.ts";
import type { Page, PageRequest } from "../page.ts";
import { latencyParts, type LatencyPart, type RunIndex } from "../run-index.ts";
import { isUnderWay, type RunView, viewRun } from "../run-view.ts";
import { count, plural } from "../../shared/quantity.ts";
import { progressBar } from "./condition.ts";
import { dollars, milliseconds, rate, seconds } from "./format.ts";
import { figure, live } from "./layout.ts";
import { problemList } from "./problems-page.ts";
import { runHead } from "./run-head.ts";

/** One run: how far, how fast, what it costs, where its time goes. */
export async function runPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const run = await runOf(context, request.parameters["id"]);
  const { lanes } = await seeQueues(context);
  const view = viewRun(run, lanes, request.now);
  const index = run.index;
  const problems = index?.problems.list().slice(0, 5) ?? [];
  const main = html`${runHead(view, "overview", request)} ${live("progress", progressBar(view))}
    ${live("figures", figures(view))}
    <section class="charts" aria-label="Over time" data-series="/runs/${view.id}/series.json">
      ${chart("images", "Images a second")} ${chart("inFlight", "Calls in flight")}
      ${chart("retries", "Retries a minute")} ${chart("throttled", "Throttled a minute")}
    </section>
    ${live("charts-note", chartsNote(view))}
    <div class="columns">
      <section aria-labelledby="latency">
        <h2 id="latency">Where the time goes</h2>
        ${live("latency", latency(index))}
      </section>
      <section aria-labelledby="problems">
        <h2 id="problems">What went wrong most</h2>
        ${live("problems", problemList(view.id, problems, request.now))}
      </section>
      <section aria-labelledby="usage">
        <h2 id="usage">Cost and usage</h2>
        ${live("usage", usage(view, index))}
      </section>
      <section aria-labelledby="settings">
        <h2 id="settings">Settings</h2>
        ${live("settings", settings(view))}
      </section>
    </div>`;
  return { title: view.name, section: "runs", main };
}

function figures(view: RunView): Html {
  const { totals, lane, condition, imagesPerSecond, etaSeconds } = view;
  const { partial, failed, rejected } = totals.prompts;
  const beats = lane?.snapshot.workers ?? [];
  // A call's id begins with its run's.
  const calls = beats
    .flatMap((worker) => worker.calls)
    .filter((id) => id.startsWith(`${view.id}-`));
  const isLive = isUnderWay(condition);
  return html`<dl class="figures">
    ${figure("Prompts settled", count(view.settled))} ${figure("Images", count(totals.images))}
    ${isLive ? figure("Images/s", rate(imagesPerSecond)) : ""}
    ${isLive ? figure("Time left", etaSeconds === undefined ? "–" : seconds(etaSeconds)) : ""}
    ${isLive ? figure("Calls in flight", count(calls.length)) : ""}
    ${figure("Retries", count(totals.retries))} ${figure("Throttled", count(totals.throttled))}
    ${figure("Partial", count(partial), partial > 0 ? "bad" : "")}
    ${figure("Failed", count(failed), failed > 0 ? "bad" : "")}
    ${figure("Rejected rows", count(rejected), rejected > 0 ? "bad" : "")}
    ${figure("Cost", dollars(totals.costUsd))}
  </dl>`;
}

/** Charts are drawn from the journal, which does not know of calls of prompts that are not settled. */
function chartsNote({ condition }: RunView): Html {
  if (!isUnderWay(condition)) return html``;
  return html`<p class="soft">
    A call is drawn once its prompt is settled: the end of the charts is not complete yet.
  </p>`;
}

function chart(name: string, title: string): Html {
  return html`<figure>
    <figcaption>${title}</figcaption>
    <div class="chart" data-chart="${name}"></div>
  </figure>`;
}

const parts: Record<LatencyPart, [string, string]> = {
  waiting: ["Waiting", "in the queue, before the first attempt"],
  limiter: ["Limiter", "for rate limits, or a provider that is away"],
  provider: ["Provider", "from the request to its answer"],
  storing: ["Storing", "checking the images and writing them"],
};

function latency(index: RunIndex | undefined): Html {
  const rows = latencyParts.map((part) => {
    const histogram = index?.latency[part];
    const cells = [0.5, 0.95, 0.99].map(
      (share) => html`<td class="number">${milliseconds(histogram?.percentile(share))}</td>`,
    );
    const [name, meaning] = parts[part];
    return html`<tr>
      <th scope="row">${name} <span class="soft">${meaning}</span></th>
      ${cells}
    </tr>`;
  });
  return html`<table class="list compact">
    <thead>
      <tr>
        <th scope="col">Of each call</th>
        <th scope="col" class="number">p50</th>
        <th scope="col" class="number">p95</th>
        <th scope="col" class="number">p99</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

function usage({ totals }: RunView, index: RunIndex | undefined): Html {
  const { inputTokens, outputTokens } = index?.totals.usage ?? {};
  const perImage =
    totals.costUsd === undefined || totals.images === 0
      ? "–"
      : dollars(totals.costUsd / totals.images);
  return html`<dl class="facts">
    ${figure("Requests sent", count(totals.calls))}
    ${figure("Cost, estimated", dollars(totals.costUsd))} ${figure("An image", perImage)}
    ${figure("Tokens in", tokens(inputTokens))} ${figure("Tokens out", tokens(outputTokens))}
  </dl>`;
}

function tokens(value: number | undefined): string {
  return value === undefined ? "not told" : count(value);
}

function settings({ file }: RunView): Html {
  const parameters = Object.entries(file.parameters).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const limit = file.limit === null ? "all rows" : `the first ${plural(file.limit, "row")}`;
  return html`<dl class="facts">
    ${figure("Dataset", `${file.source.path} (${limit})`)}
    ${figure("Images a prompt", `${file.numGenerations}, at most ${file.maxGenerationsPerCall} a call`)}
    ${figure("Parameters", parameters.length > 0 ? parameters.join(", ") : "none")}
    ${figure("Attempts", String(file.attempts))}
    ${figure("Longest call", seconds(file.timeoutMs / 1000))} ${figure("Seed", String(file.seed))}
    ${figure("Started on", file.host)}
  </dl>`;
}
