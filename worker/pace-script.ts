import { paceHold } from "./pace-hold.ts";
import { paceSearch } from "./pace-search.ts";
import { paceTold } from "./pace-told.ts";
import { paceTokens } from "./pace-tokens.ts";
import { paceWindow } from "./pace-window.ts";

/**
 * The pace of a lane, as one Redis script: who may start a call now. All times are milliseconds, by Redis' own clock unless
 * a test gives one (`ARGV[2]`; 0: Redis').
 *
 * What it keeps of the lane (`KEYS[1]`, MessagePack):
 * - `imagesAt`, `requestsAt`: until when calls that were let go have used up their limit (the arrival time of GCRA)
 * - `window`, `slowStart`, `peak`: calls that may be in flight; doubles each round until the provider is slow or says that
 *   there are too many; then grows back to `peak` quickly, past it by one in five rounds
 * - what `pace-search.ts` finds out about a limit that nobody told, what `pace-told.ts` keeps of those that were, `pace-tokens.ts` of
 *   tokens and `pace-hold.ts` of waits
 * - `era`, `eraAt`, `observed`: images that were let go lately, since when, and how many a millisecond before that
 * - `misses`: refusals without a time to wait, with nothing let in between
 * - `perCall`: images that one call may ask for, where the provider said so
 * - `keptAt`: when this was kept
 *
 * `KEYS[2]` has the calls in flight of each worker, `KEYS[3]` is the lane's hold.
 */
export const paceScript = String.raw`
local command, worker = ARGV[1], ARGV[3]
local now = tonumber(ARGV[2])
local isTest = now ~= 0
if not isTest then
  local time = redis.call('time')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local firstWindow = 10   -- calls in flight of a lane that nothing is known of
local silentMs = 10000   -- a worker that says nothing for so long has no calls in flight
local keepMs = 600000    -- what was learned is forgotten after so long without a call
local slackMs = 250      -- a call that comes late is made up for within this time
local tightMs = 25       -- the same while a rate is being looked for: it would be a burst against a limit that is not known
local probeMs = 250      -- after a hold one call goes so far ahead of the others: there may be nothing for it yet
local lostMs = 100       -- so much less of a hold than a worker knows of is no matter of rounding
local margin = 1.005     -- keeps the slack within the limit: in no minute more than it

local kept = redis.call('get', KEYS[1])
local s = kept and cmsgpack.unpack(kept) or {}
local window = s.window or firstWindow
local slowStart = (s.slowStart or 1) == 1

${paceSearch}

local function save()
  s.window, s.slowStart, s.keptAt = window, slowStart and 1 or 0, now
  redis.call('set', KEYS[1], cmsgpack.pack(s), 'PX', keepMs)
end

local function saveCalls(calls, wanted)
  redis.call('hset', KEYS[2], worker, calls .. ' ' .. wanted .. ' ' .. string.format('%.0f', now))
  redis.call('pexpire', KEYS[2], keepMs)
end

-- Calls in flight elsewhere, and what has to be left free for the other workers' fair shares.
local function elsewhere()
  local others = redis.call('hgetall', KEYS[2])
  local calls, workers, list = 0, 1, {}
  for i = 1, #others, 2 do
    local inFlight, wanted, at = string.match(others[i + 1], '(%d+) (%d+) (%d+)')
    if math.abs(now - at) > silentMs then
      redis.call('hdel', KEYS[2], others[i])
    elseif others[i] ~= worker then
      calls = calls + inFlight
      workers = workers + 1
      list[#list + 1] = { tonumber(inFlight), tonumber(wanted) }
    end
  end
  local reserved, share = 0, math.floor(window / workers)
  for _, other in ipairs(list) do
    reserved = reserved + math.max(other[1], math.min(other[2], share))
  end
  return calls, reserved
end

-- How early a call may come, to make up for one that came late.
local function slackNow()
  if not s.rate then return slackMs end
  if not s.isMeasured then return tightMs end
  return s.isTight and 0 or slackMs
end

${paceHold}

${paceWindow}

local function forgetOld()
  -- After a pause the provider has saved up: what is admitted from here measures nothing.
  if s.emptyAt and now - math.max(s.lastAt or 0, s.holdEnd or 0, s.imagesAt or 0) > 2000 then
    s.emptyAt, s.admitted = nil, 0
  end
  if not s.eraAt or now - s.eraAt > 5000 then
    s.observed = s.eraAt and (s.era or 0) / math.max(1000, now - s.eraAt) or 0
    s.eraAt, s.era = now, 0
  end
end

-- Milliseconds for one of what a limit counts; 0: no limit. given: what people say, told: what the provider's answers said.
local function spacing(given, told)
  if told and (given == 0 or told < given) then given = told end
  return given > 0 and 60000 / given * margin or 0
end

${paceTokens}

${paceTold}
-- How long a call for n images has to wait, and why; inFlight: calls that are in flight or kept for others.
local function waitOf(n, inFlight, holdMs, perImage, perRequest)
  if holdMs > 0 then return holdMs, 'hold' end
  if isProbed() and now < s.probeAt + probeMs then return math.ceil(s.probeAt + probeMs - now), 'hold' end
  if inFlight >= math.floor(window) then return 200, 'window' end
  local apart = apartMs(inFlight)
  if apart > 0 then return math.ceil(apart), 'window' end
  local slack = slackNow()
  -- Where the rate has risen since the last call, the next one need not wait as long.
  if perImage > 0 then s.imagesAt = math.min(s.imagesAt or 0, now + slack + (s.lastImages or n) * perImage) end
  local ahead = math.max(perImage > 0 and s.imagesAt or 0, perRequest > 0 and s.requestsAt or 0) - now
  if ahead <= slack then return 0, '' end
  local waitMs = math.ceil(ahead - slack)
  return (s.deep or 0) > 0 and math.min(waitMs, recoverMs) or waitMs, 'rate'
end

-- Images a minute that the lane tries: the least of the rate that is looked for and the limits that are known; 0: no limit.
local function imagesAMinute(perImage, perRequest)
  local rate, most = triedRate(), math.huge
  if rate then most = rate * 60000 end
  if perImage > 0 then most = math.min(most, 60000 / perImage * margin) end
  if perRequest > 0 then most = math.min(most, 60000 / perRequest * margin * (s.lastImages or 1)) end
  return most < math.huge and math.floor(most + 0.5) or 0
end

-- isSearched: it is the rate that is looked for that sets the pace
local function letGo(n, perImage, perRequest, isSearched)
  if s.holdEnd and not isProbed() then s.probeAt = now end
  countBurst()
  -- Where no call may come early, one that comes just in time has waited.
  local atLeast = now - (slackNow() == 0 and tightMs or 0)
  if isSearched and math.max(s.imagesAt or 0, perRequest > 0 and s.requestsAt or 0) >= atLeast then s.since = (s.since or 0) + 1 end
  if s.steps and not s.growAt and (s.since or 0) > 2 * s.steps then s.growAt = now end
  if perImage > 0 then s.imagesAt = math.max(s.imagesAt or 0, now) + n * perImage end
  if perRequest > 0 then s.requestsAt = math.max(s.requestsAt or 0, now) + perRequest end
  s.admitted, s.era, s.lastAt, s.lastImages = (s.admitted or 0) + n, s.era + n, now, n
  s.sinceWrong = (s.sinceWrong or 0) + 1
end

-- ARGV: calls in flight, calls answered since it last asked, their mean latency, images, requests and tokens a minute (0: any
-- number), of the answered calls those that told tokens, how many, how many were guessed and how many more than set aside; then
-- of each call that waits its images and the guess at its tokens
if command == 'take' then
  local calls, answered, latencyMs = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  local first = 14
  local others, reserved = elsewhere()
  if answered > 0 then widen(answered, latencyMs, calls + others) end
  forgetOld()
  forgetTold()
  local perImage, perRequest = spacing(tonumber(ARGV[7]), s.hintImages), spacing(tonumber(ARGV[8]), s.hintRequests)
  limitTokens(tonumber(ARGV[9]))
  learnTokens(answered, tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]))
  local granted, waitMs, why = 0, 0, ''
  -- A test's clock does not make Redis' keys expire.
  local holdMs = isTest and (s.holdEnd or 0) - now or redis.call('pttl', KEYS[3])
  for i = first, #ARGV, 2 do
    local n, guess, rate = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), triedRate()
    local each = math.max(perImage, rate and 1 / rate or 0)
    waitMs, why = waitOf(n, calls + granted + reserved, holdMs, each, perRequest)
    if why == '' and s.perToken > 0 then waitMs, why = waitForTokens(guess, calls + granted + others) end
    if why ~= '' then break end
    letGo(n, each, perRequest, rate and each > perImage)
    if s.perToken > 0 then setTokensAside(guess) end
    granted = granted + 1
  end
  local wanted = calls + (#ARGV - first + 1) / 2
  if wanted > 0 or redis.call('hexists', KEYS[2], worker) == 1 then saveCalls(calls + granted, wanted) end
  if #ARGV >= first or answered > 0 then save() end
  return {
    granted, waitMs, why, math.floor(window), imagesAMinute(perImage, perRequest), s.perCall or 0,
    s.perToken > 0 and math.floor(60000 / s.perToken * margin + 0.5) or 0, tostring(s.tokenFactor or s.countedFactor or 0),
    math.max(0, holdMs),
  }
end

-- ARGV: age of the call, its images, kind of the refusal, milliseconds to wait or -1, reason, calls in flight of the worker,
-- images, requests and tokens a minute that it told, the tokens that it counted for the call, each 0 where it did not, and the
-- guess at the call's tokens
if command == 'refused' then
  local startedAt, n, isNamed = now - tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == 'concurrency'
  local toldMs, reason, inFlight = tonumber(ARGV[7]), ARGV[8], elsewhere() + tonumber(ARGV[9])
  local images, requests, tokens = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
  local counted, guess = tonumber(ARGV[13]), math.abs(tonumber(ARGV[14]))
  local callsPerMs = toldCalls(n, images, requests, tokens, counted)
  local isNews, isFirst = startedAt >= (s.cutAt or 0), (s.admitted or 0) > n
  correctBurst(startedAt)
  if isNews then
    s.admitted = (s.admitted or 0) - n
    if isNamed then narrow(inFlight)
    elseif isForRate(inFlight, toldMs >= 0 or images + requests + tokens > 0) then
      searchBelow(n, toldMs, callsPerMs and callsPerMs * n)
    end
    s.cutAt = now
  elseif not isNamed then
    correctMost(inFlight)
    searchCorrect(n)
  end
  learnFromRefusal(images, requests, tokens, callsPerMs)
  if counted > 0 and guess > 0 then s.countedFactor = counted / guess end
  -- Of calls at once the end of any other makes room.
  if toldMs < 0 and inFlight > 0 and (isNamed or s.isFree) then
    save()
    return 0
  end
  s.refusals = (s.refusals or 0) + 1
  -- It does not say how long: twice as long each time that nothing was let in since the last refusal.
  if toldMs < 0 and isNews then s.misses = isFirst and 0 or math.min(6, (s.misses or -1) + 1) end
  return hold(toldMs < 0 and math.min(60000, 1000 * 2 ^ (s.misses or 0)) or toldMs, reason)
end

-- ARGV: milliseconds to wait, reason
if command == 'hold' then return hold(tonumber(ARGV[4]), ARGV[5]) end

-- ARGV: milliseconds that a worker knows to be left of a hold at least, reason. Redis has lost some of them where it was emptied
-- meanwhile, or its clock was set forward: the lane is held again. Of a hold that was ended before its time what is kept says so.
if command == 'keep' then
  local knownMs = tonumber(ARGV[4])
  if (s.holdEnd or 0) - now < knownMs - lostMs then return hold(knownMs, ARGV[5]) end
  return math.max(0, redis.call('pttl', KEYS[3]))
end

-- The provider is too slow for what is in flight: half of it, once for all calls that had started before.
if command == 'slow' then
  local startedAt = now - tonumber(ARGV[4])
  if startedAt >= (s.slowAt or 0) then
    s.peak = math.max(window, (s.peak or 0) * 0.9)
    window = math.max(1, window / 2)
    s.slowAt, slowStart, s.wasStarting = now, false, nil
    save()
  end
  return 0
end

-- ARGV: images of a call that nobody has taken: what was let in measures the provider
if command == 'turned away' then
  local n = tonumber(ARGV[4])
  s.admitted, s.era = math.max(0, (s.admitted or 0) - n), math.max(0, (s.era or 0) - n)
  save()
  return 0
end

-- ARGV: images, requests and tokens a minute, images a call, each 0 where it is not told
if command == 'told' then
  local perCall = tonumber(ARGV[7])
  learn(tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), answeredMs)
  if perCall > 0 then s.perCall = math.min(s.perCall or perCall, perCall) end
  save()
  return 0
end

return redis.error_reply('ERR unknown command ' .. command)
`;
