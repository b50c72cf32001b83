import { html, type Html } from "../../shared/html.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import { type MonitorContext, runOf, seeQueues } from "../context.ts";
import type { KnownRun } from "../known-run.ts";
import { type Page, type PageRequest, wholeNumber } from "../page.ts";
import type { PromptFilter } from "../prompt-table.ts";
import { viewRun } from "../run-view.ts";
import { searchPrompts } from "../search-prompts.ts";
import { count } from "../../shared/quantity.ts";
import { live } from "./layout.ts";
import { pager } from "./pager.ts";
import { promptCard } from "./prompt-card.ts";
import { runHead } from "./run-head.ts";

const pageSize = 48;
const filters = ["latest", "all", "succeeded", "partial", "failed", "rejected", "retried"] as const;
const titles = {
  latest: "Latest",
  all: "All",
  succeeded: "Succeeded",
  partial: "Partial",
  failed: "Failed",
  rejected: "Rejected",
  retried: "Retried",
};

/** The gallery of a run, as it grows. */
export async function imagesPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const run = await runOf(context, request.parameters["id"]);
  const { lanes } = await seeQueues(context);
  const view = viewRun(run, lanes, request.now);
  const search = (request.query.get("q") ?? "").trim();
  const filter = filters.find((one) => one === request.query.get("show")) ?? "latest";
  const body = search ? await searched(run, search, request) : await filtered(run, filter, request);
  const main = html`${runHead(view, "images", request)}
    <div class="tools">
      ${live("filters", filterList(run, search ? undefined : filter))}
      <form role="search" class="search">
        <label for="q" class="hidden">Search prompts and messages</label>
        <input
          id="q"
          type="search"
          name="q"
          value="${search}"
          placeholder="Search prompts and messages"
        />
        <button>Search</button>
      </form>
    </div>
    ${live("images", body)}`;
  return { title: `Images of ${view.name}`, section: "runs", main };
}

function filterList(run: KnownRun, chosen: PromptFilter | "latest" | undefined): Html {
  const index = run.index;
  const items = filters.map((filter) => {
    const number =
      filter === "latest"
        ? ""
        : html` <span class="soft">${count(index?.prompts.count(filter) ?? 0)}</span>`;
    const mark = filter === chosen ? html`aria-current="true"` : "";
    return html`<li>
      <a href="?show=${filter}" id="show-${filter}" ${mark}>${titles[filter]}${number}</a>
    </li>`;
  });
  return html`<ul class="filters">
    ${items}
  </ul>`;
}

async function filtered(
  run: KnownRun,
  filter: PromptFilter | "latest",
  { query }: PageRequest,
): Promise<Html> {
  const index = run.index;
  if (!index) return gallery(run, []);
  const list = (skip: number) =>
    filter === "latest" ? index.latest(skip, pageSize) : index.prompts.page(filter, skip, pageSize);
  const pages = Math.max(1, Math.ceil(list(0).total / pageSize));
  const page = wholeNumber(query.get("page"), 1, pages);
  const lines = await run.lines(list((page - 1) * pageSize).entries);
  return html`${gallery(run, lines)}${pager(page, pages, { show: filter })}`;
}

async function searched(run: KnownRun, text: string, { query }: PageRequest): Promise<Html> {
  const from = wholeNumber(query.get("from"), 0, run.journalBytes);
  const { lines, next } = await searchPrompts(run, text, from, pageSize);
  const share = next === undefined ? 100 : Math.floor((100 * next) / Math.max(1, run.journalBytes));
  const more = new URLSearchParams({ q: text, from: String(next ?? 0) });
  const found = `${count(lines.length)} found ${from > 0 ? "on this page" : ""}`;
  const end =
    next === undefined
      ? html`<p class="soft">Searched to the end.</p>`
      : html`<nav class="pager" aria-label="Pages">
          <a class="button" href="?${more.toString()}">Search on</a
          ><span class="soft">${share} % of the run is searched</span>
        </nav>`;
  return html`<p class="soft found">${found}</p>
    ${lines.length > 0 ? gallery(run, lines) : ""}${end}`;
}

function gallery(run: KnownRun, lines: readonly JournalLine[]): Html {
  if (lines.length > 0)
    return html`<div class="gallery">${lines.map((line) => promptCard(run.file.id, line))}</div>`;
  return html`<div class="empty">
    <h2>Nothing here yet</h2>
    <p>
      Prompts appear here as soon as they are settled, with their images or with the reason why
      there are none.
    </p>
  </div>`;
}
