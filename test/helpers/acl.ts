import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const page = fileURLToPath(new URL("../../docs/redis.md", import.meta.url));

/** The user that `docs/redis.md` recommends: `user NAME on >PASSWORD ~KEYS …`. */
function documentedUser(): string[] {
  const line = /^user (imagemill .+)$/m.exec(readFileSync(page, "utf8"));
  if (!line) throw new Error(`Expected a line \`user imagemill …\` in ${page}`);
  return line[1]!.split(" ");
}

/** Arguments of a redis-server with that user alone, and the user's credentials. */
export function aclServer(more: readonly string[] = []) {
  const user = documentedUser();
  const password = user.find((word) => word.startsWith(">"))!.slice(1);
  return {
    arguments: ["--user", ...user, ...more, "--user", "default", "off"],
    env: { REDIS_USERNAME: user[0]!, REDIS_PASSWORD: password },
  };
}
