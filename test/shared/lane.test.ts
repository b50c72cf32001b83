import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { laneKeys, lanesKey } from "../../shared/keys.ts";
import { laneName } from "../../shared/lane.ts";
import { profileIdentity, type Profile } from "../../shared/profile.ts";

const profile = { name: "openai", kind: "openai", hash: "0123abcd" } as const;

describe("laneName", () => {
  test("is profile, hash and model in a Redis Cluster hash tag", () => {
    expect(laneName(profile, "gpt-image-2")).toBe("{openai-0123abcd-gpt-image-2}");
  });

  test("tells models apart whose names differ only in what a key cannot hold", () => {
    const names = ["a/b", "a-b", "a:b", "a{b", "a}b", "a b"].map((model) =>
      laneName(profile, model),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  test("stays short, and tells long names with the same beginning apart", () => {
    const long = "m".repeat(200);
    expect(laneName(profile, long).length).toBeLessThan(100);
    expect(laneName(profile, `${long}1`)).not.toBe(laneName(profile, `${long}2`));
  });

  test("holds no colon and no brace of the model's name, and differs for different models", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (one, two) => {
        const name = laneName(profile, one);
        expect(name).toMatch(/^\{[^{}:\s]+\}$/);
        expect(laneName(profile, two) === name).toBe(one === two);
      }),
    );
  });
});

describe("laneKeys", () => {
  test("all hold the lane's hash tag, and are all different", () => {
    const lane = laneName(profile, "gpt-image-2");
    const all = laneKeys("p", lane);
    const keys = Object.values(all).flatMap((key) =>
      typeof key === "string" ? (key === all.queuePrefix ? [] : [key]) : [key("one"), key("two")],
    );
    expect(keys.every((key) => key.startsWith("p:") && key.includes(lane))).toBe(true);
    expect(new Set([...keys, all.queuePrefix, lanesKey("p")]).size).toBe(keys.length + 2);
  });
});

describe("profileIdentity", () => {
  const openai: Profile = { name: "o", kind: "openai", keyVariable: "KEY" };

  test("depends on the base URL but for slashes at its end, and on no key", () => {
    const hash = (changes: Partial<Profile>) => profileIdentity({ ...openai, ...changes }).hash;
    expect(hash({ baseUrl: "http://a/v1" })).toBe(hash({ baseUrl: "http://a/v1//" }));
    expect(hash({ baseUrl: "http://a/v1" })).not.toBe(hash({ baseUrl: "http://b/v1" }));
    expect(hash({ apiKey: "secret" })).toBe(hash({}));
    expect(hash({ baseUrl: "http://a", identity: "private" })).toBe(
      hash({ baseUrl: "http://b", identity: "private" }),
    );
    expect(profileIdentity({ ...openai, apiKey: "secret" })).toEqual({
      name: "o",
      kind: "openai",
      hash: hash({}),
    });
  });
});
