import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of a certificate or key of `fixtures/tls`. */
export function tlsFile(name: string): string {
  return fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
}

/** Arguments of a redis-server that speaks TLS and asks clients for no certificate. */
export const tlsArguments = Object.entries({
  "--tls-cert-file": tlsFile("server.pem"),
  "--tls-key-file": tlsFile("server-key.pem"),
  "--tls-ca-cert-file": tlsFile("ca.pem"),
  "--tls-auth-clients": "no",
}).flat();

/** TLS options of a client that trusts the test servers and shows them a certificate. */
export const tlsClient = {
  ca: readFileSync(tlsFile("ca.pem"), "utf8"),
  cert: readFileSync(tlsFile("client.pem"), "utf8"),
  key: readFileSync(tlsFile("client-key.pem"), "utf8"),
};
