import { subscribe } from "node:diagnostics_channel";
import { z } from "zod";

/** What undici tells of a request that it is about to send. */
const Created = z.object({ request: z.object({ body: z.unknown() }) });

/** Loaded into a worker: it dies at once, as of a crash, when it sends a prompt with this word. */
const poison = "poison";

subscribe("undici:request:create", (message) => {
  const { request } = Created.parse(message);
  if (String(request.body).includes(poison)) process.kill(process.pid, "SIGKILL");
});
