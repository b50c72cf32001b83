import { existsSync } from "node:fs";
import { mkdtemp, rmdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../shared/caught.ts";
import type { Check } from "./check.ts";
import { placeAccess } from "./place-access.ts";
import { readConfig } from "./config.ts";
import { checkBucket } from "./doctor-bucket.ts";
import { checkRedis } from "./doctor-redis.ts";
import { locationOf } from "../shared/run-location.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { UsageError } from "../shared/usage-error.ts";
import { findKey, type Environment, type FoundKey } from "../shared/find-key.ts";

/** What doctor looks at besides the environment. */
export interface DoctorOptions {
  /** Where images would go. Default `runs`. */
  out?: string | undefined;
  /** The configuration's file. Default: the one of the working directory, where there is one. */
  config?: string | undefined;
}

/** About 600 images of 1.5 MB. */
const littleSpaceBytes = 1_000_000_000;

/** Looks at everything that a run needs on this machine; reads nothing but `env`, and leaves nothing behind. */
export async function runDoctor(env: Environment, options: DoctorOptions = {}): Promise<Check[]> {
  const [redis, output] = await Promise.all([
    checkRedis(env),
    checkOutput(env, options.out ?? "runs"),
  ]);
  return [
    checkNode(process.versions.node),
    ...redis,
    checkKey(env, "OPENAI_API_KEY", "models of OpenAI cannot be used", "OPENAI_BASE_URL"),
    checkKey(env, "HF_TOKEN", "models of Hugging Face cannot be used", "HF_BASE_URL"),
    ...(await checkConfig(env, options.config)),
    output,
  ];
}

/** The configuration's profiles, and the keys that they name. */
async function checkConfig(env: Environment, path: string | undefined): Promise<Check[]> {
  const name = "configuration";
  try {
    const config = await readConfig(process.cwd(), path);
    if (!config) return [];
    const keys = Array.from(config.profiles, ([profile, configured]) => {
      if (!("builtIn" in configured) || configured.builtIn.keyVariable === undefined) return [];
      const { keyVariable, baseUrl } = configured.builtIn;
      const without =
        baseUrl === undefined
          ? `profile ${profile} cannot be used`
          : `the server of profile ${profile} is asked without a key`;
      return checkKey(env, keyVariable, without);
    });
    const detail = `${config.path}: profiles ${[...config.profiles.keys()].join(", ")}`;
    return [{ name, ok: true, detail }, ...keys.flat()];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [{ name, ok: false, detail: error.message, fix: "correct the file" }];
  }
}

/** Node 22.12 is the oldest with everything that the built package uses. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const check = { name: "node", detail: `version ${version}` };
  if (major > 22 || (major === 22 && minor >= 12)) return { ...check, ok: true };
  return { ...check, ok: false, fix: "update Node to 22.12 or newer" };
}

/** `without`: what is so where there is no key; `urlVariable` may name a server that needs none. */
function checkKey(
  env: Environment,
  variable: string,
  without: string,
  urlVariable?: string,
): Check {
  let found: FoundKey | undefined;
  try {
    found = findKey(env, variable);
  } catch (error) {
    const fix = "correct the path, or who may read the file";
    return { name: variable, ok: false, detail: messageOf(error), fix };
  }
  if (found) return checkKeyText(variable, found);
  if (urlVariable !== undefined && env[urlVariable])
    return { name: variable, ok: true, detail: `not set; ${urlVariable} needs no key` };
  return {
    name: variable,
    ok: "warning",
    detail: `not set: ${without}`,
    fix: `export ${variable}=…, or ${variable}_FILE=/path`,
  };
}

/** Quotes and blanks come from files and shells; a provider then refuses the key without saying why. */
function checkKeyText(name: string, { source, key }: FoundKey): Check {
  if (!/[\s"'“”]/.test(key))
    return { name, ok: true, detail: `from ${source}, ${key.length} characters` };
  return {
    name,
    ok: false,
    detail: `from ${source}, holds a quote or a blank`,
    fix: "give the key alone, without quotes and blanks",
  };
}

async function checkOutput(env: Environment, out: string): Promise<Check> {
  const name = "output";
  const location = locationOf(out);
  if (isS3Location(location)) return await checkBucket(location, placeAccess(env));
  let folder = location;
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    await rmdir(await mkdtemp(join(folder, ".imagemill-doctor-")));
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const check = {
      name,
      detail: `${location}: can be written, ${(free / 1e9).toFixed(1)} GB free`,
    };
    if (free >= littleSpaceBytes) return { ...check, ok: true };
    return {
      ...check,
      ok: "warning",
      fix: "free some space or give another --out: an image takes 1 to 3 MB",
    };
  } catch (error) {
    return {
      name,
      ok: false,
      detail: `${folder} cannot be written: ${messageOf(error)}`,
      fix: "give another --out",
    };
  }
}
