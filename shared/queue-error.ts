const lostLock = /Missing (lock|key) for job|lock mismatch|could not renew lock/i;

/** Whether BullMQ says that a job is no longer its worker's: Redis was away or full for longer than a lock lasts, or emptied. */
export function isLostLock(error: Error): boolean {
  return lostLock.test(error.message);
}

/** Whether Redis answers, but has no memory or no disk to write with: that passes. */
export function hasNoRoom(error: unknown): boolean {
  return error instanceof Error && /^(OOM|MISCONF) /.test(error.message);
}

const clientErrors = new Set([
  "ReplyError",
  "MaxRetriesPerRequestError",
  "ClusterAllFailedError",
  "AbortError",
  "ConnectionClosedError",
]);

/**
 * Whether an error came from Redis or from BullMQ's scripts: the connection is gone, memory is full, a lock was lost.
 * BullMQ's script errors carry a negative number as `code` (its `ErrorCode`).
 */
export function isQueueError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? error.code : undefined;
  if (clientErrors.has(error.name) || typeof code === "number") return true;
  if (typeof code === "string" && /^(ECONN|EPIPE|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|NOAUTH)/.test(code))
    return true;
  if (isLostLock(error)) return true;
  return /Connection is closed|Command timed out|Too many Cluster redirections|None of startup nodes|All sentinels|Stream isn't writeable|Cluster isn't ready/i.test(
    error.message,
  );
}
