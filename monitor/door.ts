import type { Context, Hono } from "hono";
import type { Access, Credentials } from "./access.ts";

const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** Lets nobody in who asks for another server, or who may not look; sends every answer with the headers that keep it safe. */
export function addDoor(app: Hono, access: Access): void {
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);
    const credentials = credentialsOf(c);
    if (!access.isAddressed(credentials)) return c.text("this server has another name\n", 421);
    if (!isOpenToAll(c.req.path) && !access.mayLook(credentials)) {
      const wantsPage = c.req.header("accept")?.includes("text/html");
      return wantsPage ? c.redirect("/sign-in", 303) : c.text("the token is missing\n", 401);
    }
    return await next();
  });
}

function isOpenToAll(path: string): boolean {
  return ["/livez", "/readyz", "/sign-in"].includes(path) || path.startsWith("/assets/");
}

/** What a request says of who sends it. */
export function credentialsOf(c: Context): Credentials {
  return {
    host: c.req.header("host"),
    origin: c.req.header("origin"),
    cookie: c.req.header("cookie"),
    authorization: c.req.header("authorization"),
  };
}
