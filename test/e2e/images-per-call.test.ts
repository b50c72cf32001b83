import { expect, test } from "vitest";
import { openStage, promptRows } from "../helpers/stage.ts";

test.concurrent("a model that nobody knows makes as many images a call as --max-per-call says, and what was told is not assumed", async () => {
  await using stage = await openStage();
  const told = ["-n", "3", "--max-per-call", "2", "--price-per-image", "0.01"];
  const model = ["--provider", "openai", "--model", "my-model"];
  const end = await stage.run(stage.dataset(promptRows(4)), ...model, ...told);
  expect(end).toMatchObject({ code: 0 });
  expect(end.summary).toMatchObject({ images: 12, calls: 8, prompts: { succeeded: 4 } });
  expect(stage.simulator.ledger).toMatchObject({ images: 12, calls: 8 });
  expect(end.stderr).not.toContain("assumed");
});

test.concurrent("Hugging Face's API makes one image a call, whatever --max-per-call says", async () => {
  await using stage = await openStage();
  const model = ["--provider", "huggingface", "--model", "some/model"];
  const asked = ["-n", "3", "--max-per-call", "3"];
  const end = await stage.run(stage.dataset(promptRows(2)), ...model, ...asked);
  expect(end).toMatchObject({ code: 0 });
  expect(end.summary).toMatchObject({ images: 6, calls: 6 });
  expect(end.stderr).toContain("no price is assumed (--price-per-image)");
});
