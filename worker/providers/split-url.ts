/** A URL as a request goes to it, and the header that its user and password become. */
export interface SplitUrl {
  url: string;
  authorization: string | undefined;
}

/** User and password of a base URL go into a header, as browsers and curl do it; a key goes before them. */
export function splitUrl(text: string): SplitUrl {
  const url = new URL(text);
  const { username, password } = url;
  if (!username && !password) return { url: text, authorization: undefined };
  const pair = `${decodePart(username)}:${decodePart(password)}`;
  url.username = "";
  url.password = "";
  return { url: url.href, authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** The address of a path below a base URL, whose own query stays behind the path. */
export function splitUrlBelow(baseUrl: string, path: string): SplitUrl {
  const { url, authorization } = splitUrl(baseUrl);
  const whole = new URL(url);
  const [place = "", query = ""] = path.split(/\?(.*)/s);
  whole.pathname = whole.pathname.replace(/\/+$/, "") + place;
  if (query !== "") whole.search = whole.search === "" ? query : `${whole.search}&${query}`;
  return { url: whole.href, authorization };
}

/** A part of a URL without its percent signs; as it is where they stand for nothing. */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
