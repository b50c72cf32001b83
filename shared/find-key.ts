import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { messageOf } from "./caught.ts";
import { UsageError } from "./usage-error.ts";

/** Environment variables, as in `process.env`: whoever may read it passes it on. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A key and where it comes from: a variable's name or a file's path. */
export interface FoundKey {
  key: string;
  source: string;
}

/**
 * A provider's key: from its variable, else from the file that `<variable>_FILE` names, else, for `HF_TOKEN`, from the
 * file where Hugging Face's own command line keeps it.
 * @throws UsageError where a file that was named cannot be read
 */
export function findKey(env: Environment, variable: string): FoundKey | undefined {
  const given = env[variable]?.trim();
  if (given) return { key: given, source: variable };
  const file = env[`${variable}_FILE`];
  if (file) return readKey(file, `${variable}_FILE`);
  const token = variable === "HF_TOKEN" ? huggingFaceTokenFile(env) : undefined;
  return token && existsSync(token) ? readKey(token, token) : undefined;
}

function readKey(path: string, source: string): FoundKey | undefined {
  try {
    const key = readFileSync(path, "utf8").trim();
    return key ? { key, source } : undefined;
  } catch (error) {
    throw new UsageError(`cannot read the key of ${source}: ${messageOf(error)}`, { cause: error });
  }
}

/** Where `hf auth login` keeps the token. */
function huggingFaceTokenFile(env: Environment): string {
  const cache = env["XDG_CACHE_HOME"] || join(env["HOME"] ?? homedir(), ".cache");
  const home = env["HF_HOME"] || join(cache, "huggingface");
  return env["HF_TOKEN_PATH"] || join(home, "token");
}
