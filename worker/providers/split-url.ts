/** User and password of a base URL go into a header, as browsers and curl do it; a key goes before them. */
export function splitUrl(text: string): { url: string; authorization: string | undefined } {
  const url = new URL(text);
  const { username, password } = url;
  if (!username && !password) return { url: text, authorization: undefined };
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  url.username = "";
  url.password = "";
  return { url: url.href, authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}
