import type { Telemetry } from "bullmq";
import { trace } from "@opentelemetry/api";
import { BullMQOtel } from "bullmq-otel";
import type { Log } from "../shared/log.ts";
import { version } from "../shared/version.ts";

/** What gives BullMQ's jobs to the SDK of OpenTelemetry that the process was started with; says so where there is none. */
export function openTracing(log: Log): Telemetry {
  if (!isTraced())
    log.warn(
      {},
      "--otel traces nothing: no SDK of OpenTelemetry was loaded, or one for an older API than ours; load one by NODE_OPTIONS (docs/monitoring.md)",
    );
  return new BullMQOtel({ tracerName: "imagemill", meterName: "imagemill", version });
}

/** Without an SDK spans have no ids. One that is never ended is never sent. */
function isTraced(): boolean {
  const span = trace.getTracer("imagemill").startSpan("is anybody there?");
  return trace.isSpanContextValid(span.spanContext());
}
