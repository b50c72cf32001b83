import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { once } from "node:events";
import { answerProbe, type ListenAddress, probePaths } from "../shared/probes.ts";
import type { Access } from "./access.ts";
import { actionRoutes, type DoAction } from "./actions.ts";
import { findAsset } from "./assets.ts";
import { type MonitorContext, runOf, seeQueues } from "./context.ts";
import { addDoor, credentialsOf } from "./door.ts";
import { limitForms, readForm } from "./form.ts";
import { addImageRoutes } from "./image-routes.ts";
import { followPage } from "./live.ts";
import { errorReply, pageReply, requestOf } from "./page-reply.ts";
import { signInPage } from "./pages/sign-in-page.ts";
import { addQueuesBoard } from "./queues-board.ts";
import { pageRoutes, type MakePage } from "./routes.ts";
import { isUnderWay, viewRun } from "./run-view.ts";
import { seriesReply } from "./series.ts";
import { NotFound, troubleOf } from "./trouble.ts";

/** What the web server is made of. */
export interface MonitorServerOptions {
  address: ListenAddress;
  context: MonitorContext;
  access: Access;
  metrics: () => Promise<string>;
}

/** A monitor that answers requests. */
export interface MonitorServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:8790`. */
  readonly url: string;
}

/** Serves the monitor. @throws Error of the system where it cannot listen there */
export async function startMonitorServer(options: MonitorServerOptions): Promise<MonitorServer> {
  const { host, port } = options.address;
  const server = serve({ fetch: createApp(options).fetch, hostname: host, port });
  if (!server.listening) await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a TCP address");
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      if ("closeAllConnections" in server) server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function createApp(options: MonitorServerOptions): Hono {
  const { context, access } = options;
  const app = new Hono();
  addDoor(app, access);
  limitForms(app);
  addProbes(app, options);
  addSignIn(app, access);
  addAssets(app);
  for (const [path, make] of pageRoutes) addPage(app, path, make, options);
  for (const [path, act] of actionRoutes) addAction(app, path, act, options);
  addImageRoutes(app, context);
  addQueuesBoard(app, context);
  addSeries(app, context);
  app.notFound((c) => errorReply(c, access, new NotFound("There is no such page")));
  app.onError((error, c) => {
    if (troubleOf(error).status === 500)
      context.log.error({ error, path: c.req.path }, "a page failed");
    return errorReply(c, access, error);
  });
  return app;
}

function addPage(app: Hono, path: string, make: MakePage, options: MonitorServerOptions): void {
  const { context, access } = options;
  app.get(path, async (c) => {
    const request = requestOf(c, access);
    return pageReply(c, await make(context, request), request);
  });
  app.get(`/live${path}`, async (c) => {
    const render = async () => {
      const request = requestOf(c, access);
      return { now: request.now, html: (await make(context, request)).main.text };
    };
    if (!c.req.header("accept")?.includes("text/event-stream")) return c.json(await render());
    return followPage(c, context.log, render);
  });
}

function addAction(
  app: Hono,
  path: string,
  act: DoAction,
  { context, access }: MonitorServerOptions,
): void {
  app.post(path, async (c) => {
    const form = await readForm(c);
    const credentials = credentialsOf(c);
    const isAllowed = access.mayAct(credentials, form.get("token") ?? "");
    form.delete("token");
    const told = { action: c.req.path, ...Object.fromEntries(form), origin: credentials.origin };
    if (!isAllowed) {
      context.log.warn(told, "an action was refused: it came without the token");
      return c.text("this needs the token: sign in, then load the page anew\n", 403);
    }
    context.log.info(told, "an action on the monitor's page");
    return c.redirect(await act(context, { parameters: c.req.param(), form }), 303);
  });
}

function addAssets(app: Hono): void {
  app.get("/assets/:name", async (c) => {
    const asset = await findAsset(c.req.param("name"));
    if (!asset) return c.notFound();
    c.header("cache-control", "no-cache");
    c.header("etag", asset.etag);
    if (c.req.header("if-none-match") === asset.etag) return c.body(null, 304);
    return c.body(asset.bytes, 200, { "content-type": asset.type });
  });
}

/** The numbers that a run's charts are drawn from. */
function addSeries(app: Hono, context: MonitorContext): void {
  app.get("/runs/:id/series.json", async (c) => {
    const run = await runOf(context, c.req.param("id"));
    const { condition } = viewRun(run, (await seeQueues(context)).lanes);
    return c.json(seriesReply(run.index, isUnderWay(condition) ? Date.now() : undefined));
  });
}

function addProbes(app: Hono, { context, metrics }: MonitorServerOptions): void {
  for (const path of probePaths) {
    app.get(path, async (c) => {
      const sources = { metrics, pingRedis: () => context.queues.ping() };
      const answer = await answerProbe(path, sources);
      if (!answer) return c.notFound();
      const { status, body, contentType } = answer;
      return c.body(body, status === 200 ? 200 : 503, { "content-type": contentType });
    });
  }
}

/** Who shows the token, in the link that is printed at the start or in the form, gets a cookie for it. */
function addSignIn(app: Hono, access: Access): void {
  app.get("/sign-in", (c) => {
    const token = c.req.query("token");
    if (token !== undefined && access.isToken(token)) {
      c.header("set-cookie", access.signInCookie());
      return c.redirect("/", 303);
    }
    return pageReply(c, signInPage(token !== undefined), requestOf(c, access));
  });
  app.post("/sign-in", async (c) => {
    const token = (await readForm(c)).get("token");
    if (token === undefined || !access.isToken(token))
      return pageReply(c, signInPage(true), requestOf(c, access));
    c.header("set-cookie", access.signInCookie());
    return c.redirect("/", 303);
  });
}
