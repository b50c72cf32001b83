import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { silentLog } from "../../shared/log.ts";
import type { Profile } from "../../shared/profile.ts";
import { HostPool } from "../../worker/host-pool.ts";
import { ProviderHosts } from "../../worker/provider-hosts.ts";
import { AsyncImageGenerationModel } from "../../worker/providers/image-model.ts";
import type { ImageGeneration } from "../../worker/providers/image-generation.ts";
import { RenewableKey } from "../../worker/renewable-key.ts";

const urls = ["http://a.test", "http://b.test", "http://c.test"];
const profile: Profile = {
  name: "test",
  kind: "openai",
  keyVariable: "TEST_KEY",
  baseUrl: urls[0],
  moreBaseUrls: urls.slice(1),
};
/** What every call asks for. */
export const call = { numGenerations: 1, parameters: {} };

/** A model of one's own at one host: answers when it is told to. */
class HostModel extends AsyncImageGenerationModel {
  readonly parameters = z.object({});
  readonly host: string;
  readonly answer: () => Promise<ImageGeneration>;

  constructor(host: string, answer: () => Promise<ImageGeneration>) {
    super();
    this.host = host;
    this.answer = answer;
  }

  async agenerate(): Promise<ImageGeneration> {
    return await this.answer();
  }
}

/** Three hosts with a clock of their own. `asked` counts calls by host; calls at hosts in `down` fail. */
export function threeHosts() {
  const asked: Record<string, number> = { a: 0, b: 0, c: 0 };
  const down = new Map<string, ProviderError>();
  const clock = { now: 0 };
  const open: (() => void)[] = [];
  const slow = new Set<string>();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, text: string) => void warnings.push(text) };
  const pool = new HostPool(profile, log, () => clock.now);
  const hosts = new ProviderHosts(
    { profile, key: new RenewableKey(profile), pool },
    async ({ baseUrl = "" }) => {
      const host = baseUrl.charAt("http://".length);
      return new HostModel(host, async () => {
        asked[host]! += 1;
        const failure = down.get(host);
        if (failure) throw failure;
        if (slow.has(host)) await new Promise<void>((resolve) => open.push(resolve));
        return { images: [] };
      });
    },
  );
  const callOnce = (prompt = "a cat") => hosts.agenerate(prompt, call);
  return {
    hosts,
    warnings,
    asked,
    down,
    clock,
    callOnce,
    holdAnswers: (...names: string[]) => {
      for (const name of names) slow.add(name);
    },
    letGo: () => {
      for (const answer of open.splice(0)) answer();
    },
  };
}

/** The connection was refused: nothing was sent. */
export const refused = new ProviderError("unavailable", "refused", { sent: false });
/** The host answered that it is broken. */
export const broken = new ProviderError("unavailable", "HTTP 500", { status: 500 });
