import { expect, test } from "vitest";
import { silentLog } from "../../shared/log.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import { tokenBuckets } from "../../simulator/limits.ts";
import { SimulatorSettings } from "../../simulator/settings.ts";
import { HostPool } from "../../worker/host-pool.ts";

interface HostOptions extends LaneLimits {
  /** Whether its refusals and answers tell its limit. Default: true. */
  tells?: boolean;
}

/** Sends calls at an even pace to hosts of a pool, in a time of their own; each answers after 300 ms. */
class HostsStage {
  readonly pool: HostPool;
  /** Images that each host has made, and calls that it has refused. */
  readonly made: number[];
  readonly refused: number[];
  now = 1_000_000;
  readonly #hosts: {
    tells: LaneLimits | undefined;
    admits: (images: number) => number | undefined;
  }[];
  #ends: { at: number; happens: () => void }[] = [];

  constructor(hosts: readonly HostOptions[]) {
    const [baseUrl, ...moreBaseUrls] = hosts.map((_, i) => `http://${i}.test`);
    const profile = { name: "test", kind: "openai", keyVariable: "KEY" } as const;
    this.pool = new HostPool({ ...profile, baseUrl, moreBaseUrls }, silentLog, () => this.now);
    this.made = hosts.map(() => 0);
    this.refused = hosts.map(() => 0);
    this.#hosts = hosts.map(({ tells = true, ...limits }) => {
      const buckets = tokenBuckets(() => this.now);
      const settings = SimulatorSettings.parse({ ...limits, limitBurst: 0.02 });
      const admits = (images: number) => buckets.admit(settings, images)?.waitMs;
      return { tells: tells ? limits : undefined, admits };
    });
  }

  /** Makes calls for so many images each, so many a minute. */
  send(minutes: number, callsPerMinute: number, images = 1): void {
    for (let call = 0; call < minutes * callsPerMinute; call++) {
      this.now += 60_000 / callsPerMinute;
      for (const { happens } of this.#ends.filter(({ at }) => at <= this.now)) happens();
      this.#ends = this.#ends.filter(({ at }) => at > this.now);
      // A call that is refused goes to the next host.
      while (!this.#call(images));
    }
  }

  /** Whether the call was let in, or no host takes it now. */
  #call(images: number): boolean {
    const host = this.pool.take(images);
    const i = host.place - 1;
    const { tells, admits } = this.#hosts[i]!;
    const waitMs = admits(images);
    host.limits.told(tells);
    if (waitMs !== undefined) {
      host.inFlight -= 1;
      this.refused[i]! += 1;
      return !this.pool.refused(host, Math.ceil(waitMs / 1_000) * 1_000).othersTake;
    }
    this.made[i]! += images;
    const happens = () => {
      host.inFlight -= 1;
      this.pool.served(host);
    };
    this.#ends.push({ at: this.now + 300, happens });
    return true;
  }
}

test("hosts that told their limits get what these let in, and refuse nothing", () => {
  const stage = new HostsStage([{ imagesPerMinute: 300 }, { imagesPerMinute: 1_200 }]);
  stage.send(3, 1_490);
  expect(stage.refused).toEqual([0, 0]);
  expect(stage.made[0]).toBeGreaterThan(0.95 * 3 * 300);
  expect(stage.made[1]).toBeGreaterThan(0.95 * 3 * 1_200);
  expect(stage.pool.limits).toEqual({ imagesPerMinute: 1_500 });
});

test("a limit on requests counts calls, one on images what they ask for", () => {
  const stage = new HostsStage([{ requestsPerMinute: 300 }, { imagesPerMinute: 2_400 }]);
  stage.send(3, 890, 4);
  expect(stage.refused).toEqual([0, 0]);
  expect(stage.made[0]).toBeGreaterThan(0.95 * 3 * 4 * 300);
  expect(stage.made[1]).toBeGreaterThan(0.95 * 3 * 4 * 590);
});

test("a host that told its limit keeps it beside one that has none", () => {
  const stage = new HostsStage([{ imagesPerMinute: 60 }, { tells: false }]);
  stage.send(3, 1_500);
  // The first answer told it when a second call had gone.
  expect(stage.refused[0]).toBeLessThanOrEqual(1);
  expect(stage.made[0]).toBeGreaterThan(0.95 * 3 * 60);
  expect(stage.pool.limits).toBeUndefined();
});

test("a limit of one host that nobody tells any more is forgotten: it may have been raised", () => {
  const stage = new HostsStage([{ tells: false }, { tells: false }]);
  stage.pool.hosts[0]!.limits.told({ imagesPerMinute: 6 });
  stage.send(1, 600);
  expect(stage.made[0]).toBeLessThanOrEqual(7);
  stage.send(1, 600);
  stage.made[0] = 0;
  stage.send(1, 600);
  expect(stage.made[0]).toBeGreaterThan(280);
});

test("where all hosts have used up their limits, a call goes to one of them all the same", () => {
  const stage = new HostsStage([{ imagesPerMinute: 60 }, { imagesPerMinute: 60 }]);
  stage.send(1, 200);
  expect(stage.refused[0]! + stage.refused[1]!).toBeGreaterThan(0);
  expect(stage.made[0]! + stage.made[1]!).toBeGreaterThan(90);
});

test("the limits of a host that is away are none of the lane's", () => {
  const stage = new HostsStage([{ imagesPerMinute: 300 }, { imagesPerMinute: 1_200 }]);
  stage.send(1, 600);
  stage.pool.missed(stage.pool.hosts[1]!, "a cat", false);
  expect(stage.pool.limits).toEqual({ imagesPerMinute: 300 });
  stage.pool.hosts[0]!.health.missed("a cat", false);
  expect(stage.pool.hosts.map(({ health }) => health.away)).toEqual([true, true]);
  expect(stage.pool.limits).toBeUndefined();
});
