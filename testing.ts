// `imagemill/testing`: checks for providers and storages of one's own, for any test runner.
export { providerConformance } from "./testing/provider-conformance.ts";
export type { ConformanceCheck, ProviderUnderTest } from "./testing/provider-under-test.ts";
export { storageConformance, type StorageStage } from "./testing/storage-conformance.ts";
