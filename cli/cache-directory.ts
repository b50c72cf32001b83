import { homedir } from "node:os";
import { join } from "node:path";

/** The user's folder for what can be made again. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const own: Partial<Record<NodeJS.Platform, string>> = {
    darwin: join(homedir(), "Library", "Caches"),
    win32: env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"),
  };
  const base = env["XDG_CACHE_HOME"] || (own[process.platform] ?? join(homedir(), ".cache"));
  return join(base, "imagemill");
}
