import type { ProxySettings } from "../worker/providers/http.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { Environment } from "../shared/find-key.ts";

/**
 * The proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, or of the same names in small letters, which go first as
 * they do for curl. This machine itself is never asked through a proxy.
 * @throws UsageError where a proxy is no http or https URL
 */
export function readProxySettings(env: Environment): ProxySettings {
  const noProxy = env["no_proxy"] ?? env["NO_PROXY"] ?? "";
  return {
    httpProxy: proxyOf(env, "http_proxy"),
    httpsProxy: proxyOf(env, "https_proxy"),
    noProxy: `${noProxy},localhost,127.0.0.1,[::1]`,
  };
}

function proxyOf(env: Environment, variable: string): string | undefined {
  const name = env[variable] === undefined ? variable.toUpperCase() : variable;
  const url = env[name];
  if (!url) return undefined;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  // It may hold a password: it is not shown.
  throw new UsageError(`expected ${name} to be a URL with http:// or https://`);
}
