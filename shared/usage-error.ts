/** What was asked cannot be done as it was asked: the command line answers it with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
