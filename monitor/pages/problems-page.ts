import { failureActions } from "../../shared/failure.ts";
import { cutText } from "../../shared/cut-text.ts";
import { html, type Html } from "../../shared/html.ts";
import { type MonitorContext, runOf, seeQueues } from "../context.ts";
import type { Page, PageRequest } from "../page.ts";
import type { ProblemGroup } from "../problem-groups.ts";
import { isUnderWay, type RunView, viewRun } from "../run-view.ts";
import { count, plural } from "../../shared/quantity.ts";
import { ago, words } from "./format.ts";
import { live } from "./layout.ts";
import { runHead } from "./run-head.ts";

/** Everything that went wrong in a run, by cause, and how to do it again. */
export async function problemsPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const run = await runOf(context, request.parameters["id"]);
  const { lanes } = await seeQueues(context);
  const view = viewRun(run, lanes, request.now);
  const groups = run.index?.problems.list() ?? [];
  const main = html`${runHead(view, "problems", request)}
  ${live("again", again(view, run.source.location, groups))}
  ${live("groups", problemList(view.id, groups, request.now))}`;
  return { title: `Problems of ${view.name}`, section: "runs", main };
}

/** Groups of problems, as a list. */
export function problemList(run: string, groups: readonly ProblemGroup[], now: number): Html {
  if (groups.length === 0) return html`<p class="soft">Nothing went wrong so far.</p>`;
  return html`<ul class="problems">
    ${groups.map((group) => item(run, group, now))}
  </ul>`;
}

function item(run: string, group: ProblemGroup, now: number): Html {
  const { kind, status, message, attempts, prompts, firstAt, lastAt, example } = group;
  const lost =
    prompts > 0 ? html`<b class="bad">${plural(prompts, "prompt")} without all images</b> · ` : "";
  return html`<li>
    <p>
      <span class="badge kind">${words(kind)}</span
      >${status === undefined ? "" : html` <span class="soft">HTTP ${status}</span>`}
    </p>
    <p class="message">${cutText(message, 600)}</p>
    <p class="soft">
      ${lost}${plural(attempts, kind === "rejected" ? "row" : "attempt")} · first
      ${ago(firstAt, now)} · last ${ago(lastAt, now)} ·
      <a href="/runs/${run}/prompts/${example}">for example prompt ${example}</a>
    </p>
  </li>`;
}

/** A new round needs a producer with the provider's key: the monitor has none, so it says the command. */
function again(view: RunView, location: string, groups: readonly ProblemGroup[]): Html {
  const kinds = new Set(
    groups.flatMap(({ kind, prompts }) => (kind !== "rejected" && prompts > 0 ? [kind] : [])),
  );
  if (kinds.size === 0) return html``;
  const lost = view.totals.prompts.partial + view.totals.prompts.failed;
  const worth = [...kinds].filter((kind) => failureActions[kind] === "retry");
  const flags = worth.length > 0 && worth.length < kinds.size ? ` --kind ${worth.join(",")}` : "";
  const when = isUnderWay(view.condition) ? "When the run is over" : "Now";
  const command = `imagemill retry ${shellWord(location)}${flags}`;
  return html`<div class="note again">
    <p>
      <b>${plural(lost, "prompt has", "prompts have")} fewer images than asked for.</b>
      ${when} this command tries
      ${flags ? `those again that another attempt may help` : `all ${count(lost)} again`}, as a new
      round, on any machine with the provider's key; images that are there are kept.
    </p>
    <p class="command">
      <code id="retry-command">${command}</code
      ><button type="button" data-copy="retry-command">Copy</button>
    </p>
  </div>`;
}

function shellWord(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
