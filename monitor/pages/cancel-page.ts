import { html } from "../../shared/html.ts";
import { type MonitorContext, runOf, seeQueues } from "../context.ts";
import type { Page, PageRequest } from "../page.ts";
import { viewRun } from "../run-view.ts";
import { plural } from "../../shared/quantity.ts";
import { action } from "./layout.ts";
import { runHead } from "./run-head.ts";

/** Asks before a run is ended for good. */
export async function cancelPage(context: MonitorContext, request: PageRequest): Promise<Page> {
  const run = await runOf(context, request.parameters["id"]);
  const { lanes } = await seeQueues(context);
  const view = viewRun(run, lanes, request.now);
  const button = action(request, {
    path: `/runs/${view.id}/cancel`,
    text: "Cancel the run",
    kind: "danger",
  });
  const main = html`${runHead(view, undefined, request)}
    <section class="narrow">
      <h2>Cancel this run?</h2>
      <p>
        ${plural(view.settled, "prompt is settled and stays", "prompts are settled and stay")}. What
        is not sent is dropped, calls in flight are finished and kept, and the output files are
        written.
      </p>
      <p>To go on later, pause it instead.</p>
      <div class="actions spaced">${button}<a class="button" href="/runs/${view.id}">Back</a></div>
    </section>`;
  return { title: `Cancel ${view.name}`, section: "runs", main };
}
