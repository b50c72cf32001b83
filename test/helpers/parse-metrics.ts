/** One series of a scrape. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

type MetricType = "counter" | "gauge" | "histogram" | "summary";

/** A metric with its samples, as `promtool check metrics` would accept it. */
export interface MetricFamily {
  name: string;
  help: string;
  type: MetricType;
  samples: Sample[];
}

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const samplePattern = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: (\d+))?$/;
const labelPattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;
const suffixes = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["", "_sum", "_count"],
} satisfies Record<MetricType, string[]>;
const types = ["counter", "gauge", "histogram", "summary"] as const;

/**
 * Reads Prometheus' text format as strictly as `promtool check metrics`: help and type before samples, families in one
 * piece, no series twice, counters named `_total`, histograms cumulative with `+Inf` equal to the count.
 * @throws Error naming the line or family that is wrong
 */
export function parseMetrics(text: string): Map<string, MetricFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, MetricFamily>();
  const seen = new Set<string>();
  let family: MetricFamily | undefined;
  for (const line of text.split("\n").filter((candidate) => candidate !== "")) {
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line);
    if (help) {
      const name = help[1]!;
      if (!namePattern.test(name) || families.has(name)) throw new Error(`bad family: ${line}`);
      family = { name, help: help[2]!, type: "gauge", samples: [] };
      families.set(name, family);
    } else if (type) {
      if (!family || family.name !== type[1] || family.samples.length > 0)
        throw new Error(`lost: ${line}`);
      family.type = types.find((candidate) => candidate === type[2])!;
    } else {
      const sample = parseSample(line);
      const labels = Object.entries(sample.labels).map((pair) => pair.join("="));
      const series = `${sample.name} ${labels.toSorted((a, b) => (a < b ? -1 : 1)).join(",")}`;
      if (seen.has(series)) throw new Error(`twice: ${line}`);
      seen.add(series);
      const own = family && suffixes[family.type].map((suffix) => family!.name + suffix);
      if (!own?.includes(sample.name)) throw new Error(`outside its family: ${line}`);
      family!.samples.push(sample);
    }
  }
  for (const each of families.values()) check(each);
  return families;
}

function parseSample(line: string): Sample {
  const match = samplePattern.exec(line);
  const value = match?.[3] === "+Inf" ? Infinity : Number(match?.[3]);
  if (!match || (Number.isNaN(value) && !/^nan$/i.test(match[3]!)))
    throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  const inside = match[2] ?? "";
  labelPattern.lastIndex = 0;
  let end = 0;
  for (let label = labelPattern.exec(inside); label; label = labelPattern.exec(inside)) {
    const [, labelName = "", labelValue = ""] = label;
    if (labelName in labels) throw new Error(`label twice: ${line}`);
    labels[labelName] = labelValue;
    end = labelPattern.lastIndex;
  }
  if (end !== inside.length) throw new Error(`bad labels: ${line}`);
  return { name: match[1]!, labels, value };
}

function check(family: MetricFamily): void {
  const { name, type, samples } = family;
  const isTotal = name.endsWith("_total");
  if ((type === "counter") !== isTotal) throw new Error(`${name} is a ${type}`);
  if (/_(ms|milliseconds|minutes|kb|mb|percent)(_total)?$/.test(name))
    throw new Error(`${name} is not in a base unit`);
  if (type === "histogram") checkHistogram(name, samples);
}

function checkHistogram(name: string, samples: readonly Sample[]): void {
  const without = ({ labels }: Sample) =>
    JSON.stringify(Object.entries(labels).filter(([label]) => label !== "le"));
  const groups = Map.groupBy(samples, without);
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) =>
      labels["le"] === "+Inf" ? Infinity : Number(labels["le"]),
    );
    const count = group.find((sample) => sample.name === `${name}_count`)?.value;
    if (!grows(bounds) || !grows(buckets.map(({ value }) => value)))
      throw new Error(`${name}: buckets do not grow`);
    if (bounds.at(-1) !== Infinity || buckets.at(-1)?.value !== count)
      throw new Error(`${name}: +Inf is not the count`);
    if (!group.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}: no sum`);
  }
}

function grows(values: readonly number[]): boolean {
  return values.every((value, i) => i === 0 || value >= values[i - 1]!);
}

/** Sum of the samples of one name whose labels are as given. */
export function valueOf(
  families: Map<string, MetricFamily>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const samples = [...families.values()].flatMap((family) => family.samples);
  return samples
    .filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )
    .reduce((sum, { value }) => sum + value, 0);
}
