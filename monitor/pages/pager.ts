import { html, type Html } from "../../shared/html.ts";
import { count } from "../../shared/quantity.ts";

/** Links to the first, last and neighbouring pages of a list; nothing where one page is all. `query` goes with each. */
export function pager(page: number, pages: number, query: Record<string, string> = {}): Html {
  if (pages === 1) return html``;
  const link = (to: number, text: string) => {
    if (to < 1 || to > pages || to === page) return "";
    const search = new URLSearchParams({ ...query, page: String(to) });
    return html`<a class="button" href="?${search.toString()}">${text}</a>`;
  };
  return html`<nav class="pager" aria-label="Pages">
    ${link(1, "First")}${link(page - 1, "Previous")}<span class="soft"
      >page ${count(page)} of ${count(pages)}</span
    >${link(page + 1, "Next")}${link(pages, "Last")}
  </nav>`;
}
