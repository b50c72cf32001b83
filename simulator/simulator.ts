import { once } from "node:events";
import { createServer } from "node:http";
import { send } from "./deliver.ts";
import type { Ledger } from "./ledger.ts";
import { simulatedProvider } from "./provider.ts";
import { jsonReply } from "./reply.ts";
import { answerRequest } from "./routes.ts";
import type { SimulatorOptions } from "./settings.ts";
import { SimulatorSettings } from "./settings.ts";

/** A running provider simulator. */
export interface Simulator extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`; the base URL for OpenAI clients is this and `/v1`. */
  readonly url: string;
  readonly ledger: Ledger;
  /** May be changed while it runs; the next call sees it. */
  readonly settings: SimulatorSettings;
  /** Ends every connection at once, calls in flight included. */
  close(): Promise<void>;
}

/**
 * Starts an HTTP server that speaks the image APIs of OpenAI and of Hugging Face. Images show their prompt, their place
 * in the call and their seed; they are drawn at 1/16 of the size asked for unless `imageScale` says otherwise.
 * @throws ZodError for a setting that is wrong or unknown; the system's error where it cannot listen
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const settings = SimulatorSettings.parse(options);
  const closing = new AbortController();
  const provider = simulatedProvider(settings, closing.signal);
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    answerRequest(provider, request, response).catch((error: unknown) => {
      const message = `The simulator failed: ${String(error)}`;
      if (response.headersSent) response.destroy();
      else
        send(
          response,
          jsonReply(500, { error: { message, type: "server_error", param: null, code: null } }),
        );
    });
  });
  server.listen(settings.port, settings.host, 4_096);
  await once(server, "listening");

  const stop = async () => {
    closing.abort();
    const ended = once(server, "close");
    server.close();
    server.closeAllConnections();
    await ended;
    provider.ledger.close();
  };
  let stopped: Promise<void> | undefined;
  const close = () => (stopped ??= stop());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Expected a TCP address");
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return {
    url: `http://${host}:${address.port}`,
    ledger: provider.ledger,
    settings,
    close,
    [Symbol.asyncDispose]: close,
  };
}
