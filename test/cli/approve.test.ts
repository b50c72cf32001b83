import { expect, test } from "vitest";
import { approve } from "../../cli/approve.ts";
import { Declined } from "../../cli/declined.ts";
import type { EstimateBasis } from "../../cli/estimate-view.ts";
import type { RunSurvey } from "../../library/survey-run.ts";
import { findModel } from "../../shared/model-registry.ts";
import type { Profile } from "../../shared/profile.ts";

const openai: Profile = { name: "openai", kind: "openai", keyVariable: "OPENAI_API_KEY" };

/** What is told of a run, and asked about it, where the person answers so. */
async function told(
  { usd, images = 10 }: { usd: number | undefined; images?: number },
  answer: string,
  { profile = openai, ...changes }: Partial<EstimateBasis & RunSurvey> = {},
) {
  const survey: RunSurvey = {
    prompts: images,
    settled: 0,
    images,
    calls: images,
    rejected: 0,
    rejections: [],
    cost: usd === undefined ? undefined : { expectedUsd: usd, atMostUsd: usd },
    tokens: undefined,
    card: findModel("openai", "gpt-image-2"),
    limits: {},
    maxCostUsd: null,
    warnings: [],
    ...changes,
  };
  const basis: EstimateBasis = { profile, concurrency: 5 };
  const lines: string[] = [];
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    return answer;
  };
  const end = await approve(survey, basis, { write: (line) => lines.push(line), ask }).catch(
    (error: unknown) => error,
  );
  return { line: lines.join("\n"), asked: questions.length, end };
}

test("the line before the first call says how many calls, what they cost and how long they take", async () => {
  expect((await told({ usd: 1.5 }, "")).line).toBe(
    "10 calls for 10 images of 10 prompts; about $1.50; 3s to 2m 00s at the provider's known limits",
  );
  const limited = await told({ usd: 0.1 }, "", { limits: { requestsPerMinute: 5 }, maxCostUsd: 1 });
  expect(limited.line).toContain("about $0.10, the run stops at $1.00; at least 2m 00s");
  const byTokens = { limits: { tokensPerMinute: 10_000, requestsPerMinute: 60 }, tokens: 40_000 };
  expect((await told({ usd: 0.1 }, "", byTokens)).line).toContain("; at least 4m 00s");
  const own = await told({ usd: undefined }, "", {
    profile: { ...openai, baseUrl: "http://localhost:8080/v1" },
  });
  expect(own.line).toContain(
    "; cost not known (--price-per-image tells it); time not known: as long as 2 calls in a row take",
  );
});

test("a dear run is begun only by a yes, a cheap one is not asked about", async () => {
  expect(await told({ usd: 9.99 }, "")).toMatchObject({ asked: 0, end: undefined });
  expect(await told({ usd: 10.01 }, " Yes ")).toMatchObject({ asked: 1, end: undefined });
  const { asked, end } = await told({ usd: 10.01 }, "");
  expect(asked).toBe(1);
  expect(end).toBeInstanceOf(Declined);
});

test("a run of many images at an unknown price is asked about, where somebody is paid", async () => {
  expect((await told({ usd: undefined, images: 100 }, "n")).asked).toBe(0);
  expect((await told({ usd: undefined, images: 101 }, "n")).asked).toBe(1);
  const own = { ...openai, baseUrl: "http://localhost:8080/v1" };
  const unknown = { profile: own, card: findModel("openai", "my-own") };
  expect((await told({ usd: undefined, images: 101 }, "n", unknown)).asked).toBe(0);
});

test("a run with a budget and a simulated one are not asked about", async () => {
  expect((await told({ usd: 500 }, "n", { maxCostUsd: 20 })).asked).toBe(0);
  const simulated = { profile: { ...openai, name: "simulator", identity: "imagemill:simulator" } };
  expect((await told({ usd: 500 }, "n", simulated)).asked).toBe(0);
});
