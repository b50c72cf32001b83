import { UsageError } from "./usage-error.ts";

/** A Redis host and its TCP port. */
export interface RedisNode {
  host: string;
  port: number;
}

type RedisAddress =
  | { kind: "single"; node: RedisNode; tls: boolean; db: number }
  | { kind: "socket"; path: string; db: number }
  | { kind: "sentinel"; sentinels: RedisNode[]; master: string; tls: boolean; db: number }
  | { kind: "cluster"; nodes: RedisNode[]; tls: boolean };

/** PEM texts for TLS. */
export interface RedisCertificates {
  /** The only authorities that are trusted. Default: Node's own and those of `NODE_EXTRA_CA_CERTS`. */
  ca?: string | undefined;
  /** The client's certificate and its key, for a server that asks for one. */
  cert?: string | undefined;
  key?: string | undefined;
}

/** Who a client is, and whom it trusts. */
export interface RedisCredentials {
  username?: string | undefined;
  password?: string | undefined;
  /** Where the password came from: read again before each reconnect, so that it can be changed under a running process. */
  passwordFile?: string | undefined;
  /** For the Sentinels themselves, which have users of their own. */
  sentinelUsername?: string | undefined;
  sentinelPassword?: string | undefined;
  certificates?: RedisCertificates | undefined;
}

/** Where Redis is and who asks. Holds the password: print it with {@link describeRedis} only. */
export type RedisTarget = RedisAddress & RedisCredentials;

/** The forms that {@link parseRedisTarget} takes, for messages. */
const redisUrlForms =
  "redis://host:6379/0, rediss://host:6379/0 (TLS), redis+unix:///path/to.sock, " +
  "redis+sentinel://host1,host2/master/0 or redis+cluster://host1,host2 (rediss+… for TLS)";

/**
 * Reads a Redis URL in one of {@link redisUrlForms}. User name and password may stand in the URL, percent-encoded;
 * `credentials` go before them.
 * @throws UsageError naming what is wrong, without any part of the URL that could hold the password
 */
export function parseRedisTarget(url: string, credentials: RedisCredentials = {}): RedisTarget {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(url.trim());
  if (!match) throw malformed("something without a scheme");
  const scheme = match[1]!.toLowerCase();
  const [beforeQuery, query] = split(match[2]!, "?");
  if (scheme === "unix" || scheme === "redis+unix") {
    const path = decode(beforeQuery, "path");
    if (!path.startsWith("/"))
      throw malformed("a socket path that is not absolute (three slashes: redis+unix:///…)");
    return { kind: "socket", path, db: parseQueryDb(query), ...given(credentials) };
  }
  if (query !== "")
    throw malformed("a `?`: settings cannot be given in the URL, and a `?` in a password is `%3F`");

  const at = beforeQuery.lastIndexOf("@");
  const [hosts, path] = split(beforeQuery.slice(at + 1), "/");
  const [user, secret] = split(at < 0 ? "" : beforeQuery.slice(0, at), ":");
  const username = decode(user, "user name") || undefined;
  const password = decode(secret, "password") || undefined;
  return { ...parseAddress(scheme, hosts, path), username, password, ...given(credentials) };
}

function parseAddress(scheme: string, hosts: string, path: string): RedisAddress {
  const tls = scheme.startsWith("rediss");
  switch (scheme) {
    case "redis":
    case "rediss": {
      const [node, ...more] = parseNodes(hosts, 6379);
      if (more.length > 0)
        throw malformed("several hosts: use redis+sentinel:// or redis+cluster:// for that");
      return { kind: "single", node: node!, tls, db: parseDb(path) };
    }
    case "redis+sentinel":
    case "rediss+sentinel": {
      const [master, db] = split(path, "/");
      if (master === "") throw malformed("no name of the master after the sentinels: …/master/0");
      const sentinels = parseNodes(hosts, 26_379);
      return {
        kind: "sentinel",
        sentinels,
        master: decode(master, "master name"),
        tls,
        db: parseDb(db),
      };
    }
    case "redis+cluster":
    case "rediss+cluster":
      if (parseDb(path) !== 0)
        throw malformed("a database other than 0, which a Redis Cluster does not have");
      return { kind: "cluster", nodes: parseNodes(hosts, 6379), tls };
    default:
      throw malformed(`the scheme \`${scheme}://\``);
  }
}

function parseNodes(hosts: string, defaultPort: number): RedisNode[] {
  return hosts.split(",").map((text, position) => {
    const match = /^(\[[0-9a-f:.]+\]|[^\s:[\]/]+)(?::(\d{1,5}))?$/i.exec(text.trim());
    const port = Number(match?.[2] ?? defaultPort);
    if (!match || port < 1 || port > 65_535) {
      throw malformed(`host ${position + 1} not of the form host or host:port`);
    }
    return { host: match[1]!.replace(/^\[|\]$/g, ""), port };
  });
}

function parseDb(text: string): number {
  if (!/^\d{0,4}\/?$/.test(text)) throw malformed("a database that is not a number");
  return Number(text.replace("/", ""));
}

function parseQueryDb(query: string): number {
  if (query !== "" && !query.startsWith("db="))
    throw malformed("a setting other than `?db=0` after the socket path");
  return parseDb(query.slice("db=".length));
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed(`a ${part} that is not percent-encoded (\`%\` itself is \`%25\`)`);
  }
}

function split(text: string, separator: string): [before: string, after: string] {
  const position = text.indexOf(separator);
  return position < 0
    ? [text, ""]
    : [text.slice(0, position), text.slice(position + separator.length)];
}

function given(credentials: RedisCredentials): RedisCredentials {
  return Object.fromEntries(Object.entries(credentials).filter(([, value]) => value !== undefined));
}

function malformed(problem: string): UsageError {
  return new UsageError(`Expected a Redis URL like ${redisUrlForms}; got ${problem}`);
}

/** The target as it may be printed: a URL without user name and password. */
export function describeRedis(target: RedisTarget): string {
  if (target.kind === "socket") {
    return `redis+unix://${target.path}${target.db === 0 ? "" : `?db=${target.db}`}`;
  }
  const scheme = target.tls ? "rediss" : "redis";
  if (target.kind === "cluster") return `${scheme}+cluster://${listNodes(target.nodes)}`;
  if (target.kind === "single") return `${scheme}://${listNodes([target.node])}/${target.db}`;
  return `${scheme}+sentinel://${listNodes(target.sentinels)}/${target.master}/${target.db}`;
}

function listNodes(nodes: RedisNode[]): string {
  return nodes
    .map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`)
    .join(",");
}
