import type { Command } from "commander";
import { describeParameters } from "../shared/model-parameters.ts";
import { findModel, listModels, type ModelCard } from "../shared/model-registry.ts";
import { modelParameters } from "../shared/parameter-schemas.ts";
import { unknownName } from "../shared/near-match.ts";
import { UsageError } from "../shared/usage-error.ts";
import { EnvironmentCommand, type Io } from "./io.ts";

/** `imagemill models [ID]`: what is known of models, and the parameters that one takes. */
export function modelsCommand(io: Io): Command {
  const command = new EnvironmentCommand("models")
    .description("list known models, or show one with its parameters, limits and price")
    .argument("[id]", "a model's id; one with a / in it is Hugging Face's")
    .option("--json", "print it as JSON")
    .action((id: string | undefined, { json }: { json?: true }) => {
      const cards = id === undefined ? listModels() : [cardOf(id)];
      if (json) {
        const described = cards.map((card) => ({
          ...card,
          parameters: describeParameters(modelParameters(card)),
        }));
        io.stdout.write(`${JSON.stringify(id === undefined ? described : described[0])}\n`);
      } else
        io.stdout.write(
          `${(id === undefined ? listText(cards) : cardText(cards[0]!)).join("\n")}\n`,
        );
    });
  return command;
}

function cardOf(id: string): ModelCard {
  if (id.includes("/")) return findModel("huggingface", id);
  const card = findModel("openai", id);
  if (card.known) return card;
  const known = listModels().map((model) => model.id);
  throw new UsageError(unknownName("model", id, known));
}

function listText(cards: readonly ModelCard[]): string[] {
  const width = Math.max(...cards.map(({ id }) => id.length));
  return cards.map((card) => {
    const { id, maxGenerationsPerCall: most, shutdownOn } = card;
    const end = shutdownOn === undefined ? "" : `  shut down on ${shutdownOn}`;
    return `${id.padEnd(width)}  ${card.kind.padEnd(11)}  ${most === 1 ? "1 image" : `${most} images`} a call${end}`;
  });
}

function cardText(card: ModelCard): string[] {
  const parameters = describeParameters(modelParameters(card));
  const price =
    card.pricePerImageUsd === undefined ? "not known" : `$${card.pricePerImageUsd} an image`;
  const tokens = card.pricing && `$${card.pricing.imageOut} for a million image tokens`;
  const longest = card.maxPromptChars === null ? "not known" : `${card.maxPromptChars} characters`;
  return [
    `${card.id} (${card.kind})${card.known ? "" : ": not in the list of known models, so safe assumptions hold"}`,
    `  images a call   ${card.maxGenerationsPerCall}`,
    `  longest prompt  ${longest}`,
    `  price           ${tokens ?? price}`,
    ...(card.shutdownOn === undefined ? [] : [`  shut down on    ${card.shutdownOn}`]),
    "  parameters",
    ...parameters.flatMap(({ name, expected, description }) => [
      `    ${name}: ${expected}`,
      `      ${description}`,
    ]),
  ];
}
