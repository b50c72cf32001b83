const offsetMs = Number(process.env["CHAOS_CLOCK_MS"]);

/** Loaded into a process: its clock is wrong by `CHAOS_CLOCK_MS` milliseconds, for `Date.now()` and `new Date()`. */
globalThis.Date = new Proxy(Date, {
  get: (right, name, receiver) =>
    name === "now" ? () => right.now() + offsetMs : Reflect.get(right, name, receiver),
  construct: (right, parts: [] | [number]) =>
    new right(parts.length === 0 ? right.now() + offsetMs : parts[0]),
});
