import type { Command } from "commander";
import { z, ZodError } from "zod";
import { unknownName } from "../shared/near-match.ts";
import { FaultName, faultNames, type SimulatorOptions } from "../simulator/settings.ts";
import { pathTrouble } from "../shared/path-trouble.ts";
import { plural } from "../shared/quantity.ts";
import { UsageError } from "../shared/usage-error.ts";
import { signalled } from "./signals.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { duration, wholeNumber } from "./numbers.ts";

interface Flags {
  host: string;
  port: number;
  latency?: number;
  jitter?: string;
  requestsPerMinute?: number;
  imagesPerMinute?: number;
  tokensPerMinute?: number;
  apiKey?: string;
  fault: string[];
  promptFault: string[];
  imageBytes?: number;
  ledger?: string;
  settings?: string;
}

const collect = (value: string, previous: string[]) => [...previous, value];

/** `imagemill simulate`: the provider simulator as a server of its own. */
export function simulateCommand(io: Io): Command {
  const command = new EnvironmentCommand("simulate")
    .description(
      "serve a simulated provider (OpenAI's and Hugging Face's image APIs) for trying and testing",
    )
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <n>", "port to listen on; 0 takes a free one", wholeNumber(0), 8787)
    .option("--latency <time>", "time of a call, such as 500ms", duration)
    .option("--jitter <share>", "share by which the latency varies, 0 to 1")
    .option("--requests-per-minute <n>", "refuse more requests with 429", wholeNumber(1))
    .option("--images-per-minute <n>", "refuse more images with 429", wholeNumber(1))
    .option("--tokens-per-minute <n>", "refuse more tokens with 429", wholeNumber(1))
    .option("--api-key <key>", "refuse calls without this key")
    .option(
      "--fault <name=share>",
      "a share of calls goes wrong: error500=0.2, hang=0.05, brokenBody=0.05, …",
      collect,
      [],
    )
    .option("--prompt-fault <text=name>", "calls whose prompt holds the text go wrong", collect, [])
    .option("--image-bytes <n>", "pad every image to about this many bytes", wholeNumber(0))
    .option("--ledger <file>", "append every call to this file, one JSON object a line")
    .option("--settings <json>", "any other setting of the simulator, as a JSON object")
    .action(async (flags: Flags) => {
      await using simulator = await start(settingsOf(flags));
      io.stdout.write(`${simulator.url}\n`);
      io.stderr.write(
        `simulated provider at ${simulator.url}: OPENAI_BASE_URL=${simulator.url}/v1 HF_BASE_URL=${simulator.url}; ` +
          "Ctrl-C ends it\n",
      );
      await signalled();
      const { calls, images, billUsd } = simulator.ledger.summary();
      io.stderr.write(
        `${plural(calls, "call")}, ${plural(images, "image")}, bill $${billUsd.toFixed(2)}\n`,
      );
    });
  return command;
}

async function start(options: SimulatorOptions) {
  const { startSimulator } = await import("../simulator/simulator.ts");
  try {
    return await startSimulator(options);
  } catch (error) {
    const refused = refusedBySystem(error, options);
    if (refused !== undefined) throw new UsageError(refused, { cause: error });
    if (!(error instanceof ZodError)) throw error;
    const problems = error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new UsageError(`the simulator cannot be set like this: ${problems.join("; ")}`, {
      cause: error,
    });
  }
}

/** What the system refused, in words; undefined for any other error. */
function refusedBySystem(error: unknown, { host, port, ledgerFile }: SimulatorOptions) {
  if (!(error instanceof Error) || !("syscall" in error)) return undefined;
  return error.syscall === "open"
    ? `cannot write the ledger ${ledgerFile}: ${pathTrouble(error) ?? error.message} (--ledger takes a file in a folder that is there)`
    : `cannot listen on ${host}:${port}: ${error.message} (--host takes an address of this machine, --port one that is free)`;
}

function settingsOf(flags: Flags): SimulatorOptions {
  const {
    host,
    port,
    latency,
    jitter,
    requestsPerMinute,
    imagesPerMinute,
    tokensPerMinute,
    apiKey,
    imageBytes,
    ledger,
  } = flags;
  return {
    host,
    port,
    ...(latency !== undefined && { latencyMs: latency }),
    ...(jitter !== undefined && { jitter: Number(jitter) }),
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
    ...(imagesPerMinute !== undefined && { imagesPerMinute }),
    ...(tokensPerMinute !== undefined && { tokensPerMinute }),
    ...(apiKey !== undefined && { apiKey }),
    ...(imageBytes !== undefined && { imageBytes }),
    ...(ledger !== undefined && { ledgerFile: ledger }),
    faults: Object.fromEntries(
      flags.fault.map((text) => pair(text, "--fault")).map(([k, v]) => [k, Number(v)]),
    ),
    promptFaults: flags.promptFault.map((text) => promptFault(text)),
    ...otherSettings(flags.settings),
  };
}

function promptFault(text: string): { match: string; fault: FaultName } {
  const [match, name] = pair(text, "--prompt-fault");
  const fault = FaultName.safeParse(name);
  if (fault.success) return { match, fault: fault.data };
  throw new UsageError(unknownName("fault", name, faultNames));
}

function pair(text: string, flag: string): [string, string] {
  const at = text.lastIndexOf("=");
  if (at < 1) throw new UsageError(`expected ${flag} name=value, got \`${text}\``);
  return [text.slice(0, at), text.slice(at + 1)];
}

function otherSettings(json: string | undefined): object {
  if (json === undefined) return {};
  try {
    // What is in it is judged by the simulator's own schema.
    return z.looseObject({}).parse(JSON.parse(json));
  } catch (error) {
    throw new UsageError(`expected a JSON object for --settings, got \`${json}\``, {
      cause: error,
    });
  }
}
