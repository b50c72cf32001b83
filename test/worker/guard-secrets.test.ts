import { expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { guardAnswer, guardFailure } from "../../worker/guard-secrets.ts";
import { withoutSecrets } from "../../worker/providers/safe-message.ts";

const secrets = {
  apiKey: "ab/cd+ef",
  baseUrl: "https://some%40one:pass%20word@images.test/v1?token=abcd1234&v=2",
};

test.each([
  ["ab/cd+ef", "[key]"],
  ["key=ab%2Fcd%2Bef&", "key=[key]&"],
  [Buffer.from("ab/cd+ef").toString("base64"), "[key]"],
  [`Basic ${Buffer.from("some@one:pass word").toString("base64")}`, "Basic [secret]"],
  ["pass word and pass%20word", "[secret] and [secret]"],
  ["user some%40one", "user [secret]"],
  ["?token=abcd1234&v=2", "?token=[secret]&v=2"],
  ["Basic Zm9vOmJhcg==, Bearer xyz", "Basic [key], Bearer [key]"],
  ["nothing to hide, v=2", "nothing to hide, v=2"],
])("%s is kept as %s", (text, safe) => {
  expect(withoutSecrets(text, secrets)).toBe(safe);
});

test("a short part of a base URL is masked as a word, not within words", () => {
  const text = "the user was refused: image_generation_user_error, users";
  expect(withoutSecrets(text, { baseUrl: "http://user:word@host" })).toBe(
    "the [secret] was refused: image_generation_user_error, users",
  );
});

test("an answer is the same but for secrets in what its server says", () => {
  const bytes = new Uint8Array([1]);
  const answer = {
    images: [{ bytes, seed: 1, revisedPrompt: "a cat ab/cd+ef" }, { bytes }],
    requestId: "ab/cd+ef",
    usage: { totalTokens: 1 },
    warnings: ["said ab/cd+ef"],
  };
  expect(guardAnswer(answer, secrets)).toEqual({
    images: [{ bytes, seed: 1, revisedPrompt: "a cat [key]" }, { bytes }],
    requestId: "[key]",
    usage: { totalTokens: 1 },
    warnings: ["said [key]"],
  });
});

test("a revised prompt of megabytes is cut: it would go through Redis", () => {
  const revisedPrompt = "z".repeat(5_000_000);
  const { images } = guardAnswer({ images: [{ bytes: new Uint8Array([1]), revisedPrompt }] }, {});
  expect(images[0]!.revisedPrompt).toMatch(/^z{31999}…$/);
});

test("a code and an id that are long, or no text, are kept so that every reader of JSON takes them", () => {
  const [code, requestId] = ["no \ud83d", `${"x".repeat(199)}😀 and so on`];
  const failure = guardFailure(new ProviderError("quota", "no", { code, requestId }), {});
  expect(failure).toMatchObject({ code: "no \ufffd", requestId: `${"x".repeat(199)}…` });
});

test("a provider's failure keeps what it tells, and a bug becomes one without its cause", () => {
  const details = {
    status: 429,
    retryAfterMs: 5,
    imagesLimit: 2,
    sent: true,
    code: "ab/cd+ef",
    requestId: "ab/cd+ef",
    cause: new Error("ab/cd+ef"),
  };
  const failure = guardFailure(new ProviderError("rate_limited", "no, ab/cd+ef", details), secrets);
  expect(failure).toMatchObject({
    ...details,
    kind: "rate_limited",
    message: "no, [key]",
    code: "[key]",
    requestId: "[key]",
    cause: undefined,
  });
  expect(guardFailure(new TypeError("bad ab/cd+ef"), secrets)).toMatchObject({
    kind: "internal",
    message: expect.stringMatching(/^TypeError: bad \[key\]\n/),
    cause: undefined,
  });
});
