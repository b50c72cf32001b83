import { describe, expect, test } from "vitest";
import {
  classifyHuggingfaceError,
  classifyHuggingfaceRefusal,
} from "../../../worker/providers/classify-huggingface.ts";
import { classifyOpenaiRefusal } from "../../../worker/providers/classify-openai.ts";
import { classifyTransport } from "../../../worker/providers/classify-transport.ts";
import { readRefusal } from "../../../worker/providers/refusal.ts";
import { readRetryAfter } from "../../../worker/providers/retry-after.ts";
import { safeMessage } from "../../../worker/providers/safe-message.ts";
import { expectedOf, readFixtures } from "./error-fixtures.ts";

describe.each([
  ["openai-errors", classifyOpenaiRefusal],
  ["huggingface-errors", classifyHuggingfaceRefusal],
] as const)("%s", (folder, classify) => {
  test.for([...readFixtures(folder)])("%s is what its file says", ([, fixture]) => {
    const { status, headers, text } = fixture;
    const error = classify(status, new Headers(headers), text, {});
    expect(error).toMatchObject({ status, sent: true, ...expectedOf(fixture) });
  });
});

test("a wait is read from headers first, then from the message; a date counts from now", () => {
  const now = Date.parse("2026-11-23T10:00:00Z");
  const date = new Headers({ "retry-after": "Mon, 23 Nov 2026 10:00:30 GMT" });
  expect(readRetryAfter(date, "", now)).toBe(30_000);
  date.set("date", "Mon, 23 Nov 2026 10:00:10 GMT");
  expect(readRetryAfter(date, "", now)).toBe(20_000);
  expect(
    readRetryAfter(new Headers({ "retry-after": "soon" }), "try again in 5 seconds", now),
  ).toBe(5000);
  expect(readRetryAfter(new Headers({ "retry-after": "1e99" }), "", now)).toBeUndefined();
  expect(readRetryAfter(new Headers({ "retry-after": "999999999" }), "", now)).toBe(86_400_000);
  expect(readRetryAfter(new Headers(), "Please try again in 1h2m3s.", now)).toBe(3_723_000);
  expect(readRetryAfter(new Headers(), "Please retry after 2 minutes.", now)).toBe(120_000);
  expect(readRetryAfter(new Headers(), "Please try again in 20ms", now)).toBe(20);
  expect(readRetryAfter(new Headers(), "Please try again later", now)).toBeUndefined();
});

test("keys and the base URL never show, and a message is cut at 2,000 characters", () => {
  const secrets = { apiKey: "given+key", baseUrl: "https://images.example:8443/v1/" };
  const text =
    "given+key sk-proj-abc_DEF123 hf_abcDEF Bearer xyz https://images.example:8443/v1/images images.example";
  expect(safeMessage(text, secrets)).toBe(
    "[key] sk-[key] hf-[key] Bearer [key] [base URL]/images [base URL]",
  );
  expect(safeMessage("risk-free half_hearted myimages.example.com", secrets)).toBe(
    "risk-free half_hearted myimages.example.com",
  );
  expect(safeMessage("x".repeat(5000))).toHaveLength(2000);
});

test("of a refusal of a megabyte only the beginning is looked through: the patterns took minutes for it", () => {
  const message = "model ".repeat(170_000);
  const { message: words } = readRefusal(
    400,
    new Headers(),
    JSON.stringify({ error: { message } }),
  );
  expect(words).toBe(message.slice(0, 10_000));
});

test("what is said is whole characters, wherever it is cut and whatever half of one it held", () => {
  expect(safeMessage("🦊🦊🦊", {}, 4)).toBe("🦊…");
  expect(safeMessage("half \ud83e a fox", {})).toBe("half \ufffd a fox");
});

test.for<[string, Error, object]>([
  ["a refused connection", code("ECONNREFUSED"), { kind: "unavailable", sent: false }],
  [
    "an unknown host",
    new TypeError("fetch failed", { cause: code("ENOTFOUND") }),
    { kind: "unavailable", sent: false },
  ],
  [
    "both addresses refused",
    new AggregateError([code("ECONNREFUSED")]),
    { kind: "unavailable", sent: false },
  ],
  [
    "a connection that takes too long",
    code("UND_ERR_CONNECT_TIMEOUT"),
    { kind: "timeout", sent: false },
  ],
  ["a reset", code("ECONNRESET"), { kind: "unavailable", sent: true }],
  ["a closed socket", code("UND_ERR_SOCKET"), { kind: "unavailable", sent: true }],
  ["headers that take too long", code("UND_ERR_HEADERS_TIMEOUT"), { kind: "timeout", sent: true }],
  ["broken HTTP", code("HPE_INVALID_CONSTANT"), { kind: "bad_response", sent: true }],
  [
    "something unknown",
    new Error("odd sk-abcdefgh"),
    { kind: "unavailable", message: "provider: odd sk-[key]" },
  ],
])("%s is classified", ([, error, expected]) => {
  expect(classifyTransport(error, {})).toMatchObject(expected);
});

test("whatever fails before the connection stands was not sent, and whatever fails after the answer was", () => {
  expect(classifyTransport(code("ECONNRESET"), {}, { phase: "connecting" }).sent).toBe(false);
  expect(classifyTransport(code("ENOTFOUND"), {}, { phase: "fetching the images" }).sent).toBe(
    true,
  );
});

test("the Hugging Face client's own errors are classified where no answer tells more", () => {
  const exchange = { progress: { phase: "connecting" as const }, maxBytes: 1 };
  const kinds = [
    named("ProviderOutputError", "Received malformed response"),
    named(
      "InputError",
      "We have not been able to find inference provider information for model a/b.",
    ),
    named("InputError", "Model URLs are no longer supported."),
  ].map((error) => classifyHuggingfaceError(error, exchange, {}).kind);
  expect(kinds).toEqual(["bad_response", "model_gone", "invalid_request"]);
});

function code(value: string): Error {
  return Object.assign(new Error(value), { code: value });
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}
