import type { z } from "zod";
import {
  describeParameters,
  parametersJsonSchema,
  parseParameters,
  type ParameterHelp,
  type ParsedParameters,
} from "../../shared/model-parameters.ts";
import { charsBeyond } from "../../shared/chars-beyond.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { checkCallOptions, checkGenerateOptions } from "./check-options.ts";
import { generateAll } from "./generate-all.ts";
import { groupsOf, type ImageGroup, requireAllMade } from "./image-groups.ts";
import type {
  CallOptions,
  GenerateAllOptions,
  GenerateOptions,
  ImageGeneration,
} from "./image-generation.ts";
import type { InputOutcome } from "./input-outcome.ts";
import type { ModelDump } from "./model-options.ts";

/** How a model is got ready. */
export interface LoadOptions {
  /** Aborting rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/**
 * A model that makes images from text through somebody's API. A subclass writes `parameters` and `agenerate`; all else
 * has a default.
 */
export abstract class AsyncImageGenerationModel<
  Schema extends z.ZodObject = z.ZodObject,
> implements AsyncDisposable {
  /** Calls that were checked, by themselves. */
  readonly #checked = new WeakMap<object, { input: string; call: CallOptions<z.output<Schema>> }>();
  /** Default: the name of the class. */
  readonly modelName: string = this.constructor.name;
  /** Images that one call can make; 1, the default, where the provider ignores or refuses a number. */
  readonly maxGenerationsPerCall: number = 1;
  /** Longest prompt in characters; null, the default, where no limit is known. */
  readonly maxPromptChars: number | null = null;
  /** Further tries of a call in `generate`. Default 6. `agenerate` itself never tries twice. */
  readonly maxRetries: number = 6;

  /** The model's own parameters. A model that takes seeds has one named `seed`. */
  abstract readonly parameters: Schema;

  /**
   * Makes images by exactly one provider call.
   * @throws ProviderError for anything that goes wrong, or the signal's reason
   */
  abstract agenerate(
    input: string,
    options: CallOptions<z.output<Schema>>,
  ): Promise<ImageGeneration>;

  /** Gets the model ready: checks what can be checked without a call. `generate` does it by itself. */
  async load(_options: LoadOptions = {}): Promise<void> {}

  /** Closes connections. Calls that are under way fail; a model that is used again opens new ones. */
  async unload(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unload();
  }

  /**
   * Makes `numGenerations` images for each input, in the inputs' order. A model that can make several images in a call gives
   * one group per input, `[[{ images: [a0, a1] }], …]`; another one group per image, `[[{ images: [a] }, { images: [a] }], …]`.
   * Images are base64.
   * @throws UsageError for wrong arguments, before anything is sent
   * @throws GenerationsFailed when all other inputs are done, with their images
   */
  async generate(
    inputs: readonly string[],
    options: GenerateAllOptions<z.input<Schema>> = {},
  ): Promise<ImageGroup[][]> {
    const outcomes = await this.generateSettled(inputs, options);
    requireAllMade(outcomes, this.maxGenerationsPerCall);
    return outcomes.map((outcome) => groupsOf(outcome, this.maxGenerationsPerCall));
  }

  /**
   * Like `generate`, with one group per input whatever the model can make in a call: `[{ images: [a0, a1] }, …]`.
   * @throws as `generate` does
   */
  async generateOutputs(
    inputs: readonly string[],
    options: GenerateAllOptions<z.input<Schema>> = {},
  ): Promise<ImageGroup[]> {
    const outcomes = await this.generateSettled(inputs, options);
    requireAllMade(outcomes, this.maxGenerationsPerCall);
    return outcomes.map((outcome) => groupsOf(outcome, Infinity)[0]!);
  }

  /**
   * What every input came to, in order, failures included: images as bytes, seeds, revised prompts, usage, request ids.
   * @throws UsageError for wrong arguments, before anything is sent
   * @throws the signal's reason
   */
  async generateSettled(
    inputs: readonly string[],
    options: GenerateAllOptions<z.input<Schema>> = {},
  ): Promise<InputOutcome[]> {
    if (!Array.isArray(inputs) || inputs.some((input) => typeof input !== "string")) {
      throw new UsageError(
        `Expected \`inputs\` to be an array of strings, got ${describeInputs(inputs)}: put one prompt in []`,
      );
    }
    checkGenerateOptions(options, this.parameters);
    this.checkParameters(options.parameters ?? {});
    await this.load({ signal: options.signal });
    return await generateAll(this, inputs, options);
  }

  /** The model as plain data, without secrets: `fromDict` makes it again. */
  dump(): ModelDump {
    return { type: this.constructor.name, ...this.dumpOptions() };
  }

  /** For subclasses: the constructor's options that `dump` gives. Default none. */
  protected dumpOptions(): Record<string, unknown> {
    return {};
  }

  /**
   * Makes a model of this class from its dump.
   * @param secrets options that a dump does not hold, such as `apiKey`
   * @throws UsageError for the dump of another class, and as the constructor does
   */
  static fromDict<Options extends object, Model>(
    this: new (options: Options) => Model,
    dump: ModelDump,
    secrets: Partial<Options> = {},
  ): Model {
    const { type, ...options } = dump;
    if (type !== this.name)
      throw new UsageError(`Expected a dump of ${this.name}, got one of ${type}`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the constructor checks them
    return new this({ ...options, ...secrets } as Options);
  }

  /** Every parameter with its values, default and description, from the schema. */
  describeParameters(): ParameterHelp[] {
    return describeParameters(this);
  }

  /** The JSON Schema of the parameters. */
  parametersJsonSchema(): Record<string, unknown> {
    return parametersJsonSchema(this);
  }

  /** Whether images can be made again by their seed: then every image should get a seed of its own. */
  takesSeed(): boolean {
    return this.#hasSeed();
  }

  /** Checks parameters by the schema. @throws UsageError that names the parameter and its near match */
  checkParameters(parameters: Record<string, unknown>): ParsedParameters {
    return parseParameters(this, parameters, { passThrough: this.passesUnknownParameters() });
  }

  /**
   * Checks a call before anything is sent or paid: what comes back is what `agenerate` takes. It is not checked again.
   * @throws UsageError
   */
  checkCall(
    input: string,
    options: GenerateOptions = {},
  ): { call: CallOptions<z.output<Schema>>; warnings: string[] } {
    const known = this.#checked.get(options);
    if (known?.input === input) return { call: known.call, warnings: [] };
    const { numGenerations = 1, signal, memory } = options;
    checkCallOptions(options, this.parameters);
    this.#checkInput(input);
    this.#checkCount(numGenerations);
    const { parameters: checked, warnings } = this.checkParameters(options.parameters ?? {});
    const { seed: given, ...parameters } = checked;
    const seed = options.seed ?? (typeof given === "number" ? given : undefined);
    const isSent = seed !== undefined && (this.#hasSeed() || this.passesUnknownParameters());
    if (seed !== undefined && !isSent)
      warnings.push(`${this.modelName} takes no seed: it was not sent`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parsed by this very schema
    const parsed = parameters as z.output<Schema>;
    const call = {
      numGenerations,
      parameters: parsed,
      ...(isSent && { seed }),
      ...(signal && { signal }),
      ...(memory && { memory }),
    };
    this.#checked.set(call, { input, call });
    return { call, warnings };
  }

  /** Whether parameters that the schema does not have are sent all the same, with a warning. Default: they are refused. */
  protected passesUnknownParameters(): boolean {
    return false;
  }

  #hasSeed(): boolean {
    return "seed" in this.parameters.shape;
  }

  #checkInput(input: string): void {
    const most = this.maxPromptChars;
    const chars = charsBeyond(input, most);
    if (chars === undefined) return;
    throw new UsageError(`the prompt has ${chars} characters, ${this.modelName} takes ${most}`);
  }

  #checkCount(numGenerations: number): void {
    const most = this.maxGenerationsPerCall;
    if (numGenerations <= most) return;
    throw new UsageError(
      `${this.modelName} makes ${most === 1 ? "1 image" : `1 to ${most} images`} in a call, ${numGenerations} were asked for: generate() makes as many calls as are needed`,
    );
  }
}

function describeInputs(inputs: unknown): string {
  if (!Array.isArray(inputs)) return typeof inputs;
  return `an array with ${typeof inputs.find((input) => typeof input !== "string")}`;
}
