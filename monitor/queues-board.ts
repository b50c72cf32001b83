import { createRequire } from "node:module";
import { dirname } from "node:path";
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { HonoAdapter } from "@bull-board/hono";
import { serveStatic } from "@hono/node-server/serve-static";
import type { Hono } from "hono";
import { type MonitorContext, seeQueues } from "./context.ts";
import { troubleOf } from "./trouble.ts";

/** Where bull-board is. */
const boardPath = "/queues";

/** bull-board sets styles by script, which our own pages need not. */
const boardPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'";

/** Adds bull-board for the lanes' queues, to look at only. */
export function addQueuesBoard(app: Hono, context: MonitorContext): void {
  const adapter = new HonoAdapter(serveStatic);
  adapter.setBasePath(boardPath);
  const { replaceQueues } = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: {
      uiBasePath: dirname(createRequire(import.meta.url).resolve("@bull-board/ui/package.json")),
      uiConfig: { boardTitle: "imagemill queues" },
    },
  });
  adapter.setErrorHandler((error) => {
    const { status, title, message } = troubleOf(error);
    if (status === 500) context.log.error({ error }, "bull-board failed");
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its type has only what its own handlers answer
    return { status: status as 500, body: { error: title, message } };
  });
  app.use(`${boardPath}/*`, async (c, next) => {
    if (c.req.method !== "GET") return c.text("the queues are to look at only\n", 405);
    const { lanes } = await seeQueues(context);
    replaceQueues(lanes.map(({ view }) => new BullMQAdapter(view.queue, { readOnlyMode: true })));
    await next();
    c.res.headers.set("content-security-policy", boardPolicy);
    if (c.res.headers.get("content-type")?.startsWith("text/html"))
      c.res = new Response(withoutOtherHosts(await c.res.text()), c.res);
    return undefined;
  });
  app.route(boardPath, adapter.registerPlugin());
}

/** Its page asks another host for fonts; the monitor works without a network. */
function withoutOtherHosts(page: string): string {
  return page.replaceAll(/<link [^>]*href="https?:[^>]*>/g, "");
}
