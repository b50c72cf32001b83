/** Where a role tells what happens: a pino logger fits. Fields first, then one line of text. */
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

const nothing = () => {};

/** Tells nobody: the default of the library. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
