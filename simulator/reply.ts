/** An answer before it is sent; knows nothing of sockets. */
export interface Reply {
  status: number;
  contentType: string;
  headers?: Record<string, string>;
  body: string | Uint8Array;
}

/** An answer with a JSON body. */
export function jsonReply(
  status: number,
  content: unknown,
  headers: Record<string, string> = {},
): Reply {
  return { status, contentType: "application/json", headers, body: JSON.stringify(content) };
}

/** What a broken proxy in front of a provider answers: a page of HTML, with status 200. */
export function htmlReply(): Reply {
  return {
    status: 200,
    contentType: "text/html; charset=utf-8",
    body: "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>",
  };
}
