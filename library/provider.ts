import { messageOf } from "../shared/caught.ts";
import type { LaneLimits } from "../shared/lane-limits.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import { findModel } from "../shared/model-registry.ts";
import { unknownName } from "../shared/near-match.ts";
import { ownCard } from "../shared/own-card.ts";
import { type Profile, ProviderKind } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { ModelOptions, WorkerProfile } from "../worker/run-contexts.ts";
import type { AsyncImageGenerationModel } from "../worker/providers/image-model.ts";

/**
 * A provider whose API is built in: `kind` is `openai` or `huggingface`. Its key and its base URLs stay in this process.
 * `name`, what its lanes are called, is the kind by default.
 */
export type BuiltInProvider = Omit<Profile, "name" | "keyVariable"> &
  Partial<Pick<Profile, "name" | "keyVariable">>;

/** A provider of one's own: whoever has this object can produce for its lanes and work on them. */
export interface OwnProvider {
  /** What its lanes are called: letters, digits, `.`, `_`, `-`. */
  name: string;
  /** Default `own`. */
  kind?: string;
  /** Tells apart two of one name, such as by their address; only its hash leaves the process. Default: the kind. */
  identity?: string;
  /** Paces that all its runs keep together. */
  limits?: LaneLimits;
  /** Makes a model. A producer makes one, too, to know what it takes, and lets it go without a call. */
  createModel(
    model: string,
    options: ModelOptions,
  ): AsyncImageGenerationModel | Promise<AsyncImageGenerationModel>;
}

/** A provider: a built-in one by its kind's name or its settings, or one's own. */
export type Provider = ProviderKind | BuiltInProvider | OwnProvider;

/** The profile that a provider is known by. @throws UsageError for a kind that is not built in or an odd name */
export function profileOf(provider: Provider): WorkerProfile {
  const given = typeof provider === "string" ? { kind: provider } : provider;
  if ("createModel" in given) {
    const { kind = "own", name, identity = kind, limits } = given;
    const createModel = (model: string, options: ModelOptions) => given.createModel(model, options);
    const known = { name: checkedName(name), kind, identity };
    return { ...known, keyVariable: "apiKey", ...(limits && { limits }), createModel };
  }
  if (!ProviderKind.safeParse(given.kind).success) {
    const known = ProviderKind.options;
    throw new UsageError(
      `${unknownName("provider", given.kind, known)}, or an object of your own with createModel`,
    );
  }
  return { keyVariable: "apiKey", ...given, name: checkedName(given.name ?? given.kind) };
}

function checkedName(name: string): string {
  if (/^[\w.-]{1,60}$/.test(name)) return name;
  throw new UsageError(
    `expected the provider's name to be 1 to 60 letters, digits, \`.\`, \`_\` or \`-\`, got \`${name}\``,
  );
}

/** What is known of a model before it is asked for an image. */
export async function cardOf(
  profile: WorkerProfile,
  id: string,
  options: ModelOptions,
): Promise<ModelCard> {
  if (!profile.createModel) return findModel(profile.kind, id);
  const model = await makeModel(profile, id, options);
  const card = ownCard(profile.kind, id, model);
  await model.unload();
  return card;
}

/** A provider that is wrong is its owner's mistake, and no bug. @throws UsageError that names the provider */
async function makeModel({ name, createModel }: WorkerProfile, id: string, options: ModelOptions) {
  let model: AsyncImageGenerationModel | undefined;
  try {
    model = await createModel!(id, options);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`provider \`${name}\` cannot make model \`${id}\`: ${messageOf(error)}`, {
      cause: error,
    });
  }
  // Not by `instanceof`: a configuration may import the class from another installation.
  if (typeof model?.takesSeed === "function" && typeof model.agenerate === "function") return model;
  throw new UsageError(
    `expected createModel of provider \`${name}\` to give an AsyncImageGenerationModel, got ${typeof model}`,
  );
}
