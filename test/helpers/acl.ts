import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const page = fileURLToPath(new URL("../../docs/redis.md", import.meta.url));

/** A user that a test server knows. */
export interface AclUser {
  name: string;
  password: string;
  /** Arguments of a redis-server that give it the user. */
  arguments: string[];
}

/** The user that `docs/redis.md` recommends; for a Cluster with the commands that it says are needed there, too. */
export function aclServer({ cluster = false } = {}): AclUser {
  const user = wordsOf("user").concat(cluster ? wordsOf("on a Cluster also:") : []);
  const password = user.find((word) => word.startsWith(">"))!.slice(1);
  return { name: user[0]!, password, arguments: ["--user", ...user] };
}

function wordsOf(start: string): string[] {
  const lines = readFileSync(page, "utf8").split("\n");
  const line = lines.find((text) => text.startsWith(`${start} `));
  if (!line) throw new Error(`Expected a line \`${start} …\` in ${page}`);
  return line
    .slice(start.length + 1)
    .replaceAll("`", "")
    .split(" ");
}
