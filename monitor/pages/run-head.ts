import { html, type Html } from "../../shared/html.ts";
import type { PageRequest } from "../page.ts";
import { isUnderWay, type RunView } from "../run-view.ts";
import { conditionBadge } from "./condition.ts";
import { action, live } from "./layout.ts";

const tabs = [
  ["overview", "", "Overview"],
  ["retries", "/retries", "Retries"],
  ["problems", "/problems", "Problems"],
  ["images", "/images", "Images"],
] as const;
/** The pages of one run. */
export type RunTab = (typeof tabs)[number][0];

/** Name, state, actions and tabs of a run: the head of each of its pages. */
export function runHead(view: RunView, tab: RunTab | undefined, request: PageRequest): Html {
  const { id, name, file, condition } = view;
  const items = tabs.map(
    ([key, path, text]) =>
      html`<li>
        <a href="/runs/${id}${path}" ${key === tab ? html`aria-current="page"` : ""}>${text}</a>
      </li>`,
  );
  return html`<div class="head">
      <div>
        <p class="crumbs"><a href="/">Runs</a></p>
        <h1>${name}</h1>
        <p class="soft">${file.model} by ${file.profile.name} · run ${id} · round ${file.round}</p>
      </div>
      ${live("actions", html`<div class="actions">${conditionBadge(condition)}${actions(view, request)}</div>`)}
    </div>
    ${live("notes", notes(view))}
    <nav class="tabs" aria-label="Of this run">
      <ul>
        ${items}
      </ul>
    </nav>`;
}

function actions({ id, condition }: RunView, request: PageRequest): Html {
  if (request.actionToken === undefined) return html``;
  const path = (name: string) => `/runs/${id}/${name}`;
  const pause = action(request, { path: path("pause"), text: "Pause" });
  const unpause = action(request, { path: path("unpause"), text: "Unpause", kind: "primary" });
  const cancel = html`<a class="button danger" id="cancel" href="${path("cancel")}">Cancel…</a>`;
  if (!isUnderWay(condition) || condition === "stopping") return html``;
  return html`${condition === "paused" ? unpause : pause}${cancel}`;
}

function notes({ reason, trouble, indexed }: RunView): Html {
  const why = reason === undefined ? "" : html`<p class="note">${reason}</p>`;
  if (trouble !== undefined)
    return html`${why}
      <p class="note bad">
        This run cannot be read to its end, so figures are not complete: ${trouble}
      </p>`;
  if (indexed === 1) return html`${why}`;
  const share = Math.floor(indexed * 100);
  return html`${why}
    <p class="note">The journal is being read: ${share} %. Figures are complete after that.</p>`;
}
