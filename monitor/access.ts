import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** How requests are let in. */
export interface AccessOptions {
  /** Where the server listens. */
  host: string;
  /** The secret that lets its holder act; looking needs it, too, unless the server listens on this machine only. */
  token: string;
}

/** What of a request tells who sends it. */
export interface Credentials {
  host: string | undefined;
  origin: string | undefined;
  cookie: string | undefined;
  authorization: string | undefined;
}

const cookieName = "imagemill_monitor";

/** Whether an address is this machine's own. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Who may look and who may act. A page of another site that a browser has open can send requests here, and can make its
 * own name mean this address: so a server for this machine answers only to this machine's names, and an action needs a
 * secret that only our own pages know.
 */
export class Access {
  readonly #host: string;
  readonly #token: string;
  readonly #session: string;
  readonly #actionToken: string;

  constructor({ host, token }: AccessOptions) {
    this.#host = host;
    this.#token = token;
    this.#session = createHmac("sha256", token).update("session").digest("base64url");
    this.#actionToken = createHmac("sha256", randomBytes(32)).update(token).digest("base64url");
  }

  /** False for a request to another name than the server has. */
  isAddressed({ host }: Credentials): boolean {
    if (!isLoopback(this.#host)) return host !== undefined;
    const name = (host ?? "").replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
    return isLoopback(name);
  }

  mayLook(credentials: Credentials): boolean {
    return isLoopback(this.#host) || this.isSignedIn(credentials);
  }

  /** Whether the reader has shown the token, now or when signing in. */
  isSignedIn(credentials: Credentials): boolean {
    const session = (credentials.cookie ?? "")
      .split(/;\s*/)
      .find((part) => part.startsWith(`${cookieName}=`))
      ?.slice(cookieName.length + 1);
    if (session !== undefined && isEqual(session, this.#session)) return true;
    return this.#bearsToken(credentials);
  }

  #bearsToken({ authorization = "" }: Credentials): boolean {
    return this.isToken(authorization.replace(/^Bearer /i, ""));
  }

  isToken(text: string): boolean {
    return isEqual(text, this.#token);
  }

  /** Goes with every form of a reader who may act. */
  actionToken(credentials: Credentials): string | undefined {
    return this.isSignedIn(credentials) ? this.#actionToken : undefined;
  }

  /**
   * Whether an action may be done: by a signed-in reader from one of our own pages, or by who sends the token itself
   * (`Authorization: Bearer`), which no browser does for another site.
   */
  mayAct(credentials: Credentials, actionToken: string): boolean {
    const { origin, host } = credentials;
    if (this.#bearsToken(credentials)) return true;
    const isOwnOrigin =
      origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
    return isOwnOrigin && this.isSignedIn(credentials) && isEqual(actionToken, this.#actionToken);
  }

  /** The cookie that signs a reader in. It ends with the browser. */
  signInCookie(): string {
    return `${cookieName}=${this.#session}; Path=/; HttpOnly; SameSite=Strict`;
  }
}

function isEqual(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(text: string): Buffer {
  return createHmac("sha256", "compare").update(text).digest();
}
