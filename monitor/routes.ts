import type { MonitorContext } from "./context.ts";
import type { Page, PageRequest } from "./page.ts";
import { cancelPage } from "./pages/cancel-page.ts";
import { imagesPage } from "./pages/images-page.ts";
import { lanesPage } from "./pages/lanes-page.ts";
import { problemsPage } from "./pages/problems-page.ts";
import { promptPage } from "./pages/prompt-page.ts";
import { retriesPage, runRetriesPage } from "./pages/retries-page.ts";
import { runPage } from "./pages/run-page.ts";
import { runsPage } from "./pages/runs-page.ts";

/** Makes a page of what is known now. @throws NotFound */
export type MakePage = (context: MonitorContext, request: PageRequest) => Promise<Page>;

/** All pages by path. Each is also served below `/live`, for the page itself to follow what changes. */
export const pageRoutes: readonly (readonly [path: string, make: MakePage])[] = [
  ["/", runsPage],
  ["/runs/:id", runPage],
  ["/runs/:id/retries", runRetriesPage],
  ["/runs/:id/problems", problemsPage],
  ["/runs/:id/images", imagesPage],
  ["/runs/:id/prompts/:index", promptPage],
  ["/runs/:id/cancel", cancelPage],
  ["/retries", retriesPage],
  ["/lanes", lanesPage],
];
