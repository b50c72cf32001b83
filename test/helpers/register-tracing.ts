import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

// For `--import`: gives a process the SDK of OpenTelemetry, which sends each span to OTEL_EXPORTER_OTLP_ENDPOINT at once.
const exporter = new OTLPTraceExporter();
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);
