import { type Monitor, type MonitorOptions, startMonitor } from "../../monitor/monitor.ts";
import { silentLog } from "../../shared/log.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Starts a monitor of what directories hold, without any Redis; use it with `await using`. */
export function startQuietMonitor(places: MonitorOptions["places"]): Promise<Monitor> {
  return startMonitor({
    places,
    address: { host: "127.0.0.1", port: 0 },
    privateRedis: async () => undefined,
    prefix: "imagemill",
    cacheDirectory: temporaryFolder(),
    log: silentLog,
  });
}
