import { callChecks } from "./call-checks.ts";
import { connectionChecks } from "./connection-checks.ts";
import { failureChecks } from "./failure-checks.ts";
import { modelChecks } from "./model-checks.ts";
import type { ConformanceCheck, ProviderUnderTest } from "./provider-under-test.ts";

/**
 * Everything that a provider has to do to be used by workers: for any test runner, as in
 * `for (const { name, run } of providerConformance(mine)) test(name, run)`. Each check starts a server of its own on this
 * machine; none takes longer than a second or two.
 */
export function providerConformance(provider: ProviderUnderTest): ConformanceCheck[] {
  const checks = {
    ...modelChecks(provider),
    ...callChecks(provider),
    ...failureChecks(provider),
    ...connectionChecks(provider),
  };
  return Object.entries(checks).map(([name, run]) => ({ name, run }));
}
