import { expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { rejection } from "./providers/provider-server.ts";
import { refused, threeHosts } from "./three-hosts.ts";

const redirect = new ProviderError("invalid_request", "HTTP 302: a redirect", { status: 302 });

test("a host that sends calls elsewhere is left out at once, and its call goes to another one", async () => {
  const { asked, down, clock, callOnce, warnings } = threeHosts();
  down.set("b", redirect);
  const ends = await Promise.allSettled([callOnce("1"), callOnce("2"), callOnce("3")]);
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  expect(failures).toMatchObject([{ kind: "unavailable", status: 302, hostAway: true }]);
  for (let i = 0; i < 10; i++) await callOnce();
  expect(asked["b"]).toBe(1);
  down.clear();
  clock.now += 60_000;
  for (let i = 0; i < 9; i++) await callOnce();
  expect(asked["b"]).toBe(4);
  expect(warnings).toEqual([
    "base URL 2 of 3 answers with a redirect, which is not followed: the others get its calls, one at a time probes it",
    "base URL 2 of 3 answers again",
  ]);
});

test("redirects wait for a host that is only away; where all hosts redirect, the base URLs are wrong", async () => {
  const { down, callOnce } = threeHosts();
  down.set("a", redirect);
  down.set("b", redirect);
  down.set("c", refused);
  for (let i = 0; i < 9; i++)
    expect(await rejection(callOnce(`prompt ${i}`))).toMatchObject({ kind: "unavailable" });
  down.set("c", redirect);
  const failures = [];
  for (let i = 0; i < 9; i++) failures.push(await rejection(callOnce(`prompt ${i}`)));
  expect(failures.at(-1)).toMatchObject({ kind: "invalid_request", status: 302 });
});

test("a host that has answered since it sent a call elsewhere is none of those that redirect", async () => {
  const { down, clock, callOnce } = threeHosts();
  down.set("a", redirect);
  expect(await rejection(callOnce())).toMatchObject({ status: 302, hostAway: true });
  down.clear();
  clock.now += 60_000;
  for (let i = 0; i < 9; i++) await callOnce();
  for (const host of ["b", "c"]) down.set(host, redirect);
  const ends = await Promise.allSettled(
    ["1", "2", "3", "4", "5", "6"].map((text) => callOnce(text)),
  );
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  expect(failures.length).toBeGreaterThanOrEqual(2);
  for (const failure of failures) expect(failure).toMatchObject({ kind: "unavailable" });
});
