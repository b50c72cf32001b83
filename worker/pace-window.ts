/**
 * How many calls of a lane may be in flight, as a part of the script in `pace-script.ts` (`s`: what is kept of the lane).
 *
 * - They double each round until the provider is slow or says no, then grow back to `peak` quickly, past it by one in five
 *   rounds.
 * - A refusal that says neither why nor for how long may mean too many a minute or too many at once. The first one fits both:
 *   the lane waits and slows down as for a rate, and has nine tenths of the calls in flight that were let in. Refused again
 *   before these have been answered once, it was the rate. Else that number is kept, and no rate.
 * - The same is tried, without a wait, where a rate was found and is refused again with about as many in flight as last time;
 *   ever more rarely where it goes wrong.
 * - One call beyond that number is tried now and then, ever more rarely where it is refused, and twice as many each time that
 *   they are let in: it was raised. Such a call starts apart from others, so that only their number can be too much.
 * - Refused where as many went well before, twice within about fifty calls: it is the rate after all.
 *
 * What it keeps:
 * - `window`, `slowStart`, `peak`: calls that may be in flight; whether they double; what they grow back to
 * - `most`: calls at once that are believed to be let in; `isNamed`: the provider said that there were too many at once
 * - `isFresh`: it is being found out whether it is their number; `wasStarting`: they doubled until then, and will again where it was
 *   not their number; `isFree`: no rate that was looked for is kept
 * - `calm`: calls answered while all were in flight that may be, since the last refusal or step
 * - `step`, `fullAt`: by how many calls `most` is passed, and since when all of them are in flight
 * - `fails`: how many times in a row a single call more was refused
 * - `doubts`: refusals where as many went well before; fades with the calls that are answered
 * - `refusedWith`: calls that were in flight at the last refusal
 * - `wrongs`, `sinceWrong`: how many times it was the rate after all; calls that were let go since then
 */
export const paceWindow = String.raw`
local firstTrial = 25   -- calls to the second time that one more is tried; twice as many to each after it
local firstRetry = 100  -- calls to the next time that a number is tried, times three for each time that it went wrong
local fewestCalls = 400 -- to the next such time at most; or ten seconds of calls, whichever is more

local function believeMost(inFlight)
  s.wasStarting = slowStart and 1 or nil
  s.peak, slowStart = math.max(window, s.peak or 0), false
  s.most, s.calm, s.step, s.fails, s.doubts = math.max(1, inFlight), 0, 1, 0, 0
end

local function keepMost()
  window, s.calm, s.isFresh, s.isFree, s.fullAt = s.most + 1, 0, nil, 1, nil
  -- What was admitted meanwhile measures no rate.
  s.emptyAt = nil
end

local function forgetMost()
  -- A rate that was measured before is believed again, unless more went well since.
  if s.isFree and not s.isFresh and (s.observed or 0) > (s.rate or 0) * 1.3 then s.rate, s.isMeasured = nil, nil end
  -- Where it had been confirmed, it was lowered rather than wrong.
  if s.fails < 2 then s.wrongs = math.min(6, (s.wrongs or 0) + 1) end
  s.most, s.isNamed, s.isFresh, s.isFree, s.sinceWrong = nil, nil, nil, nil, 0
  if s.wasStarting then slowStart, s.wasStarting = true, nil end
end

-- All calls are in flight that may be: now and then there may be more.
local function widenBeyondMost(answered)
  s.calm, s.doubts = s.calm + answered, math.max(0, s.doubts - answered / 100)
  if s.isFresh then
    if s.calm >= window then keepMost() end
  elseif window > s.most then
    s.fullAt = s.fullAt or now
    if now - s.fullAt < math.min(1000, s.latency) then return end
    -- Fewer were refused before.
    if s.most <= s.refusedWith and window > s.refusedWith * 1.1 then s.doubts = s.doubts + 1 end
    s.most, s.step, s.fails, s.calm, s.fullAt = window, s.step * 2, 0, 0, nil
    window = s.most + s.step
  else
    local calls = s.fails == 0 and window or firstTrial * 2 ^ s.fails
    if s.calm < math.min(calls, math.max(fewestCalls, window * 10000 / s.latency)) then return end
    s.step, s.calm, s.fullAt = 1, 0, nil
    window = s.most + 1
  end
end

local function widen(answered, latencyMs, inFlight)
  local weight = math.min(1, answered / 10)
  s.latency = s.latency and s.latency + (latencyMs - s.latency) * weight or latencyMs
  s.baseLatency = math.min(s.baseLatency and s.baseLatency * 1.0005 ^ answered or s.latency, s.latency)
  -- Answers that take longer the more are asked for: the provider queues them, more in flight would not help.
  local isSlow = s.latency > s.baseLatency * 1.5 + 50
  -- What was under way at the refusal had been let in before: it shows nothing of the number that is tried since.
  if s.isFresh and now - latencyMs < math.max(s.cutAt or 0, s.holdEnd or 0) then return end
  if s.most and (s.isFresh or window >= s.most) then
    if inFlight + answered >= math.floor(window) and (s.isFresh or not isSlow) then widenBeyondMost(answered) end
    return
  end
  local isUsed = (inFlight + answered) * 2 >= window
  if not isUsed or isSlow then return end
  local peak = s.most or s.peak or 0
  if slowStart then window = window + answered
  elseif window < peak then window = math.min(peak, window + answered / 2)
  else window = window + answered / (5 * window) end
end

-- Milliseconds until a call beyond s.most may start.
local function apartMs(inFlight)
  if not s.most or inFlight < s.most then return 0 end
  return (s.lastAt or 0) + s.latency / window - now
end

-- A refusal while inFlight others were let in and s.most is known: whether it is for the sake of that number.
local function isBeyondMost(inFlight)
  if window > s.most then
    -- As it was to be expected.
    s.fails = s.step > 1 and 0 or s.fails + 1
    if s.fails > 1 then s.doubts, s.wrongs, s.wasStarting = 0, 0, nil end
  else
    s.doubts = s.doubts + 1
    if not s.isNamed and (s.isFresh or s.doubts >= 1.5 or inFlight == 0) then return false end
    s.most = math.max(1, math.min(s.most, inFlight))
  end
  window, s.calm, s.refusedWith = s.most, 0, s.most
  return true
end

-- Whether a refusal while inFlight others were let in is for the sake of a rate; saysSo: it told a time or a limit. Else the
-- lane goes on without a wait, with fewer in flight.
local function isForRate(inFlight, saysSo)
  if s.most and not s.isNamed then
    if not saysSo and isBeyondMost(inFlight) then return false end
    forgetMost()
    return true
  end
  local isNear = math.abs(inFlight - (s.refusedWith or inFlight)) <= math.max(1, inFlight / 10)
  local isSteady = s.isMeasured and s.since >= s.steps
  s.refusedWith = inFlight
  if saysSo or s.isNamed or inFlight == 0 or s.rate and not isSteady then return true end
  local retryAfter = (s.wrongs or 0) > 0 and firstRetry * 3 ^ s.wrongs or 0
  if not isNear or (s.sinceWrong or 0) < retryAfter then return true end
  believeMost(inFlight)
  window, s.isFresh, s.isFree = math.max(1, s.most * 0.9), 1, s.isMeasured
  return not s.isFree
end

-- A refusal that says that there are too many at once.
local function narrow(inFlight)
  if s.most then isBeyondMost(inFlight)
  else
    believeMost(inFlight)
    window, s.refusedWith = s.most, s.most
  end
  s.isNamed, s.isFresh, s.wasStarting = 1, nil, nil
end

-- A call of the same burst was refused, too: it had been counted as let in.
local function correctMost(inFlight)
  if s.most and not (s.isFresh and s.calm == 0) then return end
  s.refusedWith = math.min(s.refusedWith or inFlight, inFlight)
  if not s.most then return end
  s.most = math.max(1, math.min(s.most, inFlight))
  window = math.min(window, math.max(1, s.most * 0.9))
end
`;
