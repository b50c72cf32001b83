import { basename, extname, join } from "node:path";
import { Option, type Command } from "commander";
import type { RunRequest } from "../library/run-request.ts";
import { coerceParameter } from "../shared/model-parameters.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import { modelParameters } from "../shared/parameter-schemas.ts";
import { DatasetFormat } from "../shared/run-file.ts";
import { plural } from "../shared/quantity.ts";
import { UsageError } from "../shared/usage-error.ts";
import { addChangeOptions, changeRequest, limitsOf, type ChangeOptions } from "./change-options.ts";
import { listOption } from "./list-option.ts";
import { allowance, dollars, duration, wholeNumber, type Allowance } from "./numbers.ts";

/** Options of commands that make a run go. */
export interface DriveOptions {
  concurrency: number;
  window?: number;
  maxFailures?: number;
  allowFailures?: Allowance;
  giveUpAfter: number;
  maxCost?: number;
  pricePerImage?: number;
  dryRun?: true;
  yes?: true;
  json?: true;
  config?: string;
  baseUrl?: string[];
  imageHosts?: string[];
}

/** Options of `run`. */
export interface RunOptions extends DriveOptions, ChangeOptions {
  provider?: string;
  model?: string;
  out?: string;
  format?: DatasetFormat;
  promptColumn: string;
  idColumn?: string;
  param: string[];
  paramFrom: string[];
  paramsColumn?: string;
  seed?: number;
  timeout: number;
}

/** Where further profiles are, for every command that needs some. */
export function configOption(): Option {
  return new Option(
    "--config <file>",
    "further profiles (default: imagemill.config.ts, .js or .json here)",
  );
}

const collect = (value: string, previous: string[]) => [...previous, value];

/** Adds the options of every command that makes a run go. */
export function addDriveOptions(command: Command): Command {
  return command
    .option("-c, --concurrency <n>", "calls in flight at once, at most", wholeNumber(1), 100)
    .option("--window <n>", "most prompts in Redis at once", wholeNumber(1))
    .option("--max-failures <n>", "stop when more prompts than this have failed", wholeNumber(0))
    .option(
      "--allow-failures <n|p%>",
      "exit 0 with up to this many prompts failed or rejected",
      allowance,
    )
    .addOption(
      new Option(
        "--give-up-after <time>",
        "stop when Redis or storage are away or silent this long",
      )
        .argParser(duration)
        .default(15 * 60_000, "15m"),
    )
    .option("--max-cost <usd>", "stop before the run could cost more than this", dollars)
    .option(
      "--price-per-image <usd>",
      "what an image costs, instead of the prices that are known",
      dollars,
    )
    .option("--dry-run", "say what would be made and what it would cost; send and write nothing")
    .option("-y, --yes", "do not ask before a run that costs much")
    .option(
      "--base-url <url>",
      "a server that speaks the provider's API; needs no key; several share the calls",
      listOption,
    )
    .option(
      "--image-hosts <hosts>",
      "private hosts that images at URLs may come from, besides the server's own",
      listOption,
    )
    .addOption(configOption())
    .option("--json", "print the summary as one JSON object");
}

/** Adds the options of commands that start a run. */
export function addRunOptions(command: Command): Command {
  command
    .option(
      "--provider <name>",
      "openai, huggingface or simulator (inferred from the model where it can be)",
    )
    .option("-m, --model <id>", "the model that makes the images");
  addChangeOptions(command, { isNew: true })
    .option(
      "-o, --out <dir>",
      "run directory, or s3://bucket/prefix (default: runs/<dataset>-<model>)",
    )
    .addOption(
      new Option("--format <format>", "of the dataset; default: by its extension").choices(
        DatasetFormat.options,
      ),
    )
    .option("--prompt-column <name>", "the column that holds the prompt", "prompt")
    .option("--id-column <name>", "a column whose value is carried as the prompt's id")
    .option(
      "-p, --param <name=value>",
      "a parameter of every call; name:=json for JSON",
      collect,
      [],
    )
    .option(
      "--param-from <name=column>",
      "a parameter taken from a column, row by row",
      collect,
      [],
    )
    .option("--params-column <name>", "a column that holds a row's parameters as a JSON object")
    .option(
      "--seed <n>",
      "seeds of images are derived from it, where the model takes seeds",
      wholeNumber(0),
    );
  return addDriveOptions(command);
}

/** Splits `name=rest` (or another separator) at the first one. */
function splitAt(text: string, separator: string, flag: string): [string, string] {
  const at = text.indexOf(separator);
  if (at < 1) throw new UsageError(`expected ${flag} name${separator}value, got \`${text}\``);
  return [text.slice(0, at), text.slice(at + separator.length)];
}

function parameterOf(card: ModelCard, text: string): [string, unknown] {
  if (!/^[^=]*:=/.test(text)) {
    const [name, value] = splitAt(text, "=", "--param");
    return [name, coerceParameter(modelParameters(card), name, value)];
  }
  const [name, json] = splitAt(text, ":=", "--param");
  try {
    return [name, JSON.parse(json)];
  } catch {
    throw new UsageError(`expected JSON after \`${name}:=\`, got \`${json}\``);
  }
}

/** @throws UsageError where a name comes twice: which of the values was meant cannot be known */
function onceEach<Value>(flag: string, given: readonly [string, Value][]): Record<string, Value> {
  const names = given.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return Object.fromEntries(given);
  throw new UsageError(
    `expected ${flag} ${twice} once, got it ${plural(names.filter((name) => name === twice).length, "time")}`,
  );
}

/** The default run directory of a dataset and model. */
export function defaultOut(dataset: string, model: string): string {
  const name = basename(dataset, extname(dataset)).replaceAll(/[^\p{L}\p{N}._-]+/gu, "-");
  return join("runs", `${name}-${model.replaceAll(/[^A-Za-z0-9._-]+/g, "-")}`);
}

/** What a run is asked for by the command line, all of it. @throws UsageError */
export function runRequest(
  dataset: string,
  options: RunOptions,
  card: ModelCard,
): RunRequest & { source: string } {
  return {
    isWhole: true,
    source: dataset,
    format: options.format,
    promptColumn: options.promptColumn,
    idColumn: options.idColumn,
    paramsColumn: options.paramsColumn,
    paramFrom: onceEach(
      "--param-from",
      options.paramFrom.map((text) => splitAt(text, "=", "--param-from")),
    ),
    model: card.id,
    parameters: onceEach(
      "--param",
      options.param.map((text) => parameterOf(card, text)),
    ),
    seed: options.seed,
    maxCostUsd: options.maxCost,
    pricePerImageUsd: options.pricePerImage,
    limits: limitsOf(options),
    ...changeRequest(options),
  };
}
