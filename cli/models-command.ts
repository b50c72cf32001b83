import type { Command } from "commander";
import { priceOfCall } from "../shared/call-price.ts";
import { describeParameters, parametersJsonSchema } from "../shared/model-parameters.ts";
import { findModel, listModels, type ModelCard } from "../shared/model-registry.ts";
import { modelParameters } from "../shared/parameter-schemas.ts";
import { unknownName } from "../shared/near-match.ts";
import { plural } from "../shared/quantity.ts";
import { UsageError } from "../shared/usage-error.ts";
import { formatUsd } from "./estimate-view.ts";
import { cardOf } from "../library/provider.ts";
import { defaultTimeoutMs } from "../library/run-request.ts";
import { readConfig } from "./config.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { profileOf, providerAndModel } from "./profiles.ts";
import { configOption } from "./run-options.ts";

/** `imagemill models [ID]`: what is known of models, and the parameters that one takes. */
export function modelsCommand(io: Io): Command {
  const command = new EnvironmentCommand("models")
    .description("list known models, or show one with its parameters, limits and price")
    .argument("[id]", "a model's id; one with a / in it is Hugging Face's")
    .option("--provider <name>", "the profile of a configuration whose model it is")
    .addOption(configOption())
    .option("--json", "print it as JSON")
    .action(async (id: string | undefined, flags: ModelsFlags) => {
      const text = id === undefined ? describeAll(flags) : await describeOne(io, id, flags);
      io.stdout.write(`${text}\n`);
    });
  return command;
}

interface ModelsFlags {
  json?: true;
  provider?: string;
  config?: string;
}

function describeAll({ json }: ModelsFlags): string {
  const cards = listModels();
  return json ? JSON.stringify(cards.map(asObject)) : listText(cards).join("\n");
}

async function describeOne(
  io: Io,
  id: string,
  { json, provider, config }: ModelsFlags,
): Promise<string> {
  const card =
    provider === undefined ? cardOfId(id) : await configuredCard(io, provider, id, config);
  return json ? JSON.stringify(asObject(card)) : cardText(card).join("\n");
}

function asObject(card: ModelCard): object {
  const { schema: _schema, ...known } = card;
  return { ...known, parameters: parametersJsonSchema(modelParameters(card)) };
}

/** A model of a profile that a configuration names. @throws UsageError */
async function configuredCard(
  io: Io,
  provider: string,
  id: string,
  path: string | undefined,
): Promise<ModelCard> {
  const config = await readConfig(process.cwd(), path);
  const [name, model] = providerAndModel(provider, id, config);
  return await cardOf(profileOf(name, io.env, {}, config), model, { timeoutMs: defaultTimeoutMs });
}

function cardOfId(id: string): ModelCard {
  if (id.includes("/")) return findModel("huggingface", id);
  const card = findModel("openai", id);
  if (card.known) return card;
  const known = listModels().map((model) => model.id);
  throw new UsageError(unknownName("model", id, known));
}

/** When the provider's public service shuts the model down, or has done so; undefined where that is not known. */
function endOf({ shutdownOn }: ModelCard): [what: string, date: string] | undefined {
  if (shutdownOn === undefined) return undefined;
  const today = new Date().toISOString().slice(0, 10);
  return [shutdownOn > today ? "ends on" : "shut down on", shutdownOn];
}

function listText(cards: readonly ModelCard[]): string[] {
  const width = Math.max(...cards.map(({ id }) => id.length));
  return cards.map((card) => {
    const { id, maxGenerationsPerCall: most } = card;
    const [what, date] = endOf(card) ?? [];
    const end = what ? `  ${what} ${date}` : "";
    const perCall = `${plural(most, "image")} a call`;
    return `${id.padEnd(width)}  ${card.kind.padEnd(11)}  ${perCall.padEnd(16)}  ${shortPrice(card).padEnd(28)}${end}`.trimEnd();
  });
}

function cardText(card: ModelCard): string[] {
  const parameters = describeParameters(modelParameters(card));
  const end = endOf(card);
  const longest = card.maxPromptChars === null ? "not known" : `${card.maxPromptChars} characters`;
  return [
    `${card.id} (${card.kind})${card.known ? "" : ": not in the list of known models, so safe assumptions hold"}`,
    `  images a call   ${card.maxGenerationsPerCall}`,
    `  longest prompt  ${longest}`,
    ...priceLines(card),
    `  limits          ${limitText(card)}`,
    ...(end ? [`  ${end[0].padEnd(14)}  ${end[1]}`] : []),
    "  parameters",
    ...parameters.flatMap(({ name, expected, description }) => [
      `    ${name}: ${expected}`,
      `      ${description}`,
    ]),
  ];
}

/** An image of the usual size: what it costs, from the cheapest to the dearest quality. */
function shortPrice(card: ModelCard): string {
  const qualities = (card.qualities ?? ["auto"]).filter((one) => one !== "auto" || !card.qualities);
  const known = qualities.flatMap((quality) => {
    const parameters = { quality, size: "1024x1024" };
    return priceOfCall(card, { images: 1, prompt: "", parameters })?.expectedUsd ?? [];
  });
  if (known.length === 0) return card.tokenPrices ? "by tokens" : "price not known";
  const [least, most] = [Math.min(...known), Math.max(...known)].map(formatUsd);
  return `${least === most ? least : `${least} to ${most}`} an image`;
}

function priceLines(card: ModelCard): string[] {
  const { tokenPrices } = card;
  return [
    `  price           ${shortPrice(card)}${tokenPrices || card.prices ? " of 1024x1024" : ""}`,
    ...(tokenPrices
      ? [
          `  million tokens  text in $${tokenPrices.textIn}, image in $${tokenPrices.imageIn}, image out $${tokenPrices.imageOut}`,
          `                  ${tokenPrices.source}`,
        ]
      : []),
  ];
}

function limitText({ imagesPerMinute }: ModelCard): string {
  return imagesPerMinute
    ? `${imagesPerMinute.join(", ")} images a minute, by the account's tier`
    : "not known";
}
