import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import type { ServerResponse } from "node:http";
import { z } from "zod";
import type { SimulatedProvider } from "./provider.ts";
import type { Reply } from "./reply.ts";
import { jsonReply } from "./reply.ts";
import { changeSettings } from "./settings.ts";

/** `POST /simulator/settings`: answers with all settings as they are now. The key is not shown. */
export function postSettings({ settings }: SimulatedProvider, text: string): Reply {
  try {
    changeSettings(settings, z.record(z.string(), z.unknown()).parse(JSON.parse(text)));
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    return jsonReply(400, { error: { message, type: "invalid_request_error" } });
  }
  return jsonReply(200, { ...settings, apiKey: settings.apiKey === null ? null : "set" });
}

/** `GET /simulator/calls`: the remembered calls as JSON lines, a thousand at a time. */
export async function streamCalls(
  { ledger }: SimulatedProvider,
  response: ServerResponse,
): Promise<void> {
  function* lines() {
    let chunk = "";
    let count = 0;
    for (const record of ledger.records()) {
      chunk += `${JSON.stringify(record)}\n`;
      if (++count % 1000 > 0) continue;
      yield chunk;
      chunk = "";
    }
    if (chunk !== "") yield chunk;
  }
  response.writeHead(200, { "content-type": "application/jsonl" });
  await pipeline(Readable.from(lines()), response).catch(() => undefined);
}
