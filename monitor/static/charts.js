// Draws a run's charts with uPlot, and again with every change of the page.
"use strict";

const section = document.querySelector("[data-series]");
const charts = new Map();
const dark = matchMedia("(prefers-color-scheme: dark)");
let asked = false;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function sizeOf(element) {
  return { width: element.clientWidth, height: element.clientHeight };
}

function valueText(value) {
  if (value === null || value === undefined) return "–";
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

const timesOf = (_, ticks) => ticks.map((at) => clock.format(at * 1000));
const numbersOf = (_, ticks) => ticks.map((tick) => String(tick));

function axes() {
  const axis = {
    stroke: colour("--soft"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
  return [
    { ...axis, size: 26, gap: 4, space: 90, values: timesOf },
    { ...axis, size: 40, gap: 6, values: numbersOf },
  ];
}

/** The caption says the value under the pointer. */
function tellValue(element, plot) {
  const at = plot.cursor.idx;
  const caption = element.previousElementSibling;
  caption.dataset.title ??= caption.textContent;
  const [times, drawn] = plot.data;
  caption.textContent =
    at === null || at === undefined
      ? caption.dataset.title
      : `${caption.dataset.title}: ${valueText(drawn[at])} at ${clock.format(times[at] * 1000)}`;
}

function create(element, values) {
  const name = element.dataset.chart;
  const isTrouble = name === "retries" || name === "throttled";
  const stroke = colour(isTrouble ? "--warn" : "--accent");
  const line = { stroke, width: 1.5, fill: `${stroke}26`, points: { show: false } };
  return new uPlot(
    {
      ...sizeOf(element),
      padding: [8, 26, 0, 0],
      cursor: { y: false, points: { size: 6 } },
      legend: { show: false },
      scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      axes: axes(),
      series: [{}, { ...line, value: valueText }],
      hooks: { setCursor: [(plot) => tellValue(element, plot)] },
    },
    values,
    element,
  );
}

async function draw() {
  if (asked) return;
  asked = true;
  try {
    const reply = await fetch(section.dataset.series);
    if (!reply.ok) return;
    const series = await reply.json();
    for (const element of section.querySelectorAll("[data-chart]")) {
      const values = [series.times, series[element.dataset.chart]];
      const plot = charts.get(element);
      if (plot) plot.setData(values);
      else charts.set(element, create(element, values));
    }
  } finally {
    asked = false;
  }
}

function redraw() {
  for (const plot of charts.values()) plot.destroy();
  charts.clear();
  void draw();
}

if (section) {
  void draw();
  document.addEventListener("page-changed", () => void draw());
  dark.addEventListener("change", redraw);
  new ResizeObserver(() => {
    for (const [element, plot] of charts) plot.setSize(sizeOf(element));
  }).observe(section);
}
