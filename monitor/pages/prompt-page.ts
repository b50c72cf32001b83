import { cutText } from "../../shared/cut-text.ts";
import { html, type Html } from "../../shared/html.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import type { ImageRecord } from "../../shared/result.ts";
import { type MonitorContext, runOf, seeQueues } from "../context.ts";
import type { Page, PageRequest } from "../page.ts";
import type { WaitingRetry } from "../retries.ts";
import { matching } from "../retry-filter.ts";
import { type RunView, viewRun } from "../run-view.ts";
import { bytes } from "../../shared/quantity.ts";
import { dollars, words } from "./format.ts";
import { attemptTimeline } from "./attempt-timeline.ts";
import { action, figure, live } from "./layout.ts";
import { gap, imageHref } from "./prompt-card.ts";
import { attemptText, nextText } from "./retry-table.ts";
import { runHead } from "./run-head.ts";
import { NotFound } from "../trouble.ts";

/** One prompt: its images, its parameters, and everything that was tried. */
export async function promptPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const run = await runOf(context, request.parameters["id"]);
  const index = Number(request.parameters["index"]);
  if (!Number.isSafeInteger(index) || index < 0)
    throw new NotFound("A prompt's number is a whole number");
  const { lanes } = await seeQueues(context);
  const view = viewRun(run, lanes, request.now);
  const entry = run.index?.prompts.get(index);
  const [line] = entry ? await run.lines([entry]) : [];
  const { retries } = (await view.lane?.view.retries()) ?? { retries: [] };
  const waiting = matching(retries, { run: view.id }).filter((retry) => retry.index === index);
  const attempts = [...(line?.attempts ?? []), ...waiting.flatMap((retry) => retry.attempts)];
  const prompt = line?.row?.prompt ?? line?.rejected?.raw ?? waiting[0]?.prompt;
  const main = html`${runHead(view, undefined, request)}
    ${live("prompt", promptHead(view, index, line, prompt))}
    ${live(
      "waiting",
      waiting.map((retry) => waitingNote(retry, view, request)),
    )}
    ${live("images", line ? images(view.id, line) : html``)}
    <div class="columns">
      <section aria-labelledby="timeline" class="whole">
        <h2 id="timeline">Attempts</h2>
        ${live("attempts", attemptTimeline(attempts))}
      </section>
      <section aria-labelledby="row">
        <h2 id="row">Parameters and columns</h2>
        ${live("row", facts(view, line))}
      </section>
    </div>`;
  return { title: `Prompt ${index} of ${view.name}`, section: "runs", main };
}

function promptHead(
  { id }: RunView,
  index: number,
  line: JournalLine | undefined,
  prompt: string | undefined,
): Html {
  const state = line?.state ?? "waiting";
  const step = (to: number, text: string) =>
    to < 0 ? "" : html`<a class="button" href="/runs/${id}/prompts/${to}">${text}</a>`;
  return html`<div class="head">
      <h2>
        Prompt
        ${index}${line?.row?.id === undefined ? "" : html` <span class="soft">${line.row.id}</span>`}
        <span class="badge is-${state}">${line ? state : "not settled"}</span>
      </h2>
      <nav class="actions" aria-label="Prompts">
        ${step(index - 1, "Previous")}${step(index + 1, "Next")}
      </nav>
    </div>
    ${prompt === undefined ? html`<p class="soft">Nothing is known of this prompt: it waits its turn, or the dataset has no such row.</p>` : html`<blockquote dir="auto">${prompt}</blockquote>`}
    ${line?.rejected ? html`<p class="note bad">Row ${line.rejected.row} was rejected: ${line.rejected.reason}</p>` : ""}`;
}

function waitingNote(retry: WaitingRetry, { file, id }: RunView, request: PageRequest): Html {
  const button = action(request, {
    path: "/retries/try-now",
    text: "Try now",
    fields: { run: id, job: retry.job },
    kind: "small",
  });
  return html`<div class="note warn next-try">
    <p>Attempt ${attemptText(retry.attempt, file.attempts)}: ${nextText(retry, request.now)}</p>
    ${retry.state === "delayed" ? button : ""}
  </div>`;
}

function images(run: string, line: JournalLine): Html {
  if (line.images.length === 0) {
    const reasons = line.failures.map(
      ({ kind, message }) =>
        html`<p class="note bad"><b>${words(kind)}:</b> ${cutText(message, 2_000)}</p>`,
    );
    return html`${reasons}`;
  }
  const tiles = Array.from({ length: line.numGenerations }, (_, generation) => {
    const image = line.images.find((candidate) => candidate.generation === generation);
    return image
      ? picture(run, image)
      : html`<figure class="picture">${gap(line, generation)}</figure>`;
  });
  return html`<div class="pictures">${tiles}</div>`;
}

function picture(run: string, image: ImageRecord): Html {
  const { generation, width, height, bytes: size, seed, revisedPrompt, costUsd, recovered } = image;
  const known = [
    `${width} × ${height}`,
    bytes(size),
    ...(seed === undefined ? [] : [`seed ${seed}`]),
    ...(costUsd === undefined ? [] : [dollars(costUsd)]),
    ...(recovered ? ["found in storage after a crash"] : []),
  ];
  return html`<figure class="picture">
    <a href="${imageHref(run, image, "file")}"
      ><img
        src="${imageHref(run, image, "file")}"
        width="${width}"
        height="${height}"
        alt="Image ${generation + 1}"
        loading="lazy"
    /></a>
    <figcaption>
      Image ${generation + 1} ·
      ${known.join(" · ")}${revisedPrompt === undefined ? "" : html`<span class="revised">Revised prompt: ${revisedPrompt}</span>`}
    </figcaption>
  </figure>`;
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function facts({ file }: RunView, line: JournalLine | undefined): Html {
  const pairs = [
    ...Object.entries(file.parameters).map(([name, value]) => figure(name, shown(value))),
    ...Object.entries(line?.row?.columns ?? {}).map(([name, value]) =>
      figure(name, cutText(shown(value), 500)),
    ),
    ...(line?.costUsd === undefined ? [] : [figure("Cost", dollars(line.costUsd))]),
  ];
  if (pairs.length === 0) return html`<p class="soft">The prompt is all there is.</p>`;
  return html`<dl class="facts">${pairs}</dl>`;
}
