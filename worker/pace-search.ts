/**
 * How a lane finds a rate that nobody told it, as a part of the script in `pace-script.ts` (`s`: what is kept of the lane).
 *
 * - Nothing is held back until the provider says no. Then the lane goes on at half the pace that it had, and is back at the
 *   whole of it a second later: one refusal says little.
 * - Between two refusals with steady calls the provider has let in what its limit lets in, whatever it allows to be saved up.
 *   So the second one measures the limit, and the lane goes on there.
 * - Where little can be saved up, what was let in says little of a pace that was rising, and nothing that was missed comes back: of
 *   three calls or more at once just one is let in. Then the lane goes on at the pace of the last calls that were let in, and no call
 *   comes early.
 * - It stays close to that rate, longer each time that a refusal confirms it, then looks for more, quickly.
 * - Refused again before anything was let in: half the pace, each time. It doubles each second once calls are let in.
 *
 * What it keeps:
 * - `rate`: images a millisecond that are believed to be the limit; `isMeasured`: by two refusals
 * - `steps`: calls for which the lane stays below that rate; `since`: calls that waited for the rate since the last refusal
 * - `growAt`: since when the lane looks for more
 * - `deep`: how many times the pace was halved at the last refusal
 * - `emptyAt`, `admitted`: since when, and how many images, the provider has taken after it said no
 * - `measureImages`, `measureFrom`: the last measurement, as far as it may still be corrected
 * - `burst`, `burstAt`, `burstRefused`: calls that went at once, when, and how many of them were refused
 * - `isTight`: nothing can be saved up; `tightDoubts`: how many times in a row a call was refused where as much went well before
 * - `isDoubted`: the last refusal came where none was expected
 * - `refusals`: calls that were refused since the last that was let in
 * - `cutAt`: when the last refusal came; calls that had begun before say nothing new
 */
export const paceSearch = String.raw`
local deepest = 6
local doubleMs = 500    -- in which a pace doubles at most: a refusal has to be known before the next step
local atOnceMs = 10     -- calls that start within this time come at once for the provider
local burstMs = 1000    -- in which it is known which of them were refused
local fewCalls = 5      -- fewer say nothing of a pace
local tightStepsMs = 45000  -- of calls between refusals at least, where a wait is lost
local recoverMs = 1000  -- in which a pace that was halved doubles again

-- The rate that is tried after so many calls that waited for it. It starts a little below the one that is believed, stays close
-- to it for long (a cubic curve), then doubles again and again. So a refusal costs one call in hundreds, and a limit that was
-- raised is found soon.
local function rateAfter(since)
  local x = since / s.steps
  local curve = 1 + 0.04 * (math.min(x, 2) - 1) ^ 3
  local doublings = s.growAt and math.min(20, 2 * (x - 2), (now - s.growAt) / doubleMs) or 0
  local deep = math.max(0, (s.deep or 0) - math.max(0, now - (s.holdEnd or 0)) / recoverMs)
  return s.rate * curve * 2 ^ (math.max(0, doublings) - deep)
end

local function triedRate()
  return s.rate and not s.isFree and rateAfter(s.since or 0) or nil
end

-- A call is let go. Of those that go at once it is known a little later how many were let in.
local function countBurst()
  if now - (s.burstAt or 0) > burstMs then
    if (s.burst or 0) >= 3 then s.isTight = s.burst - s.burstRefused <= 1 and 1 or nil end
    s.burst, s.burstRefused, s.burstAt = 0, 0, now
  end
  if now - s.burstAt < atOnceMs then s.burst = s.burst + 1 end
end

-- A call that began then was refused.
local function correctBurst(startedAt)
  if math.abs(startedAt - (s.burstAt or 0)) < 2 * atOnceMs then s.burstRefused = s.burstRefused + 1 end
end

-- What the lane made in its last seconds, in images a millisecond.
local function observedRate()
  return math.max((s.era or 0) / math.max(1000, now - (s.eraAt or now)), s.observed or 0, 0.0001)
end

-- Calls that the lane stays at a rate for at least: half a second of them, so that a refusal is known before the next step; ten,
-- but no longer than they take in ten seconds: few refusals measure badly, and more must be found soon.
local function leastSteps(callsPerMs)
  return math.max(callsPerMs * 500, math.min(10, callsPerMs * 10000))
end

-- A limit is believed that is not told any more.
local function searchFrom(rate)
  s.rate, s.steps, s.since, s.growAt, s.deep = rate, math.max(90, rate * 10000), 0, nil, 0
  s.isMeasured, s.isDoubted, s.measureImages = 1, nil, nil
end

-- Nothing is known but the pace that went well: half of it, and back to it soon.
local function startSearch(n, tried)
  if s.isMeasured and not s.emptyAt then return searchFrom(s.rate) end
  s.rate = tried and math.min(tried, math.max(s.rate, observedRate())) or observedRate()
  s.steps, s.deep = leastSteps(s.rate / n), 1
  s.isMeasured, s.isDoubted, s.measureImages = nil, nil, nil
end

-- The last measurement is known better: the provider had nothing until then, or let in less than was counted.
local function correctMeasure(untilAt)
  if not s.measureImages then return end
  s.rate = math.max(s.rate / 2, math.min(s.rate, s.measureImages / (untilAt - s.measureFrom)))
end

-- Nothing can be saved up. A pace that was refused at once is too high by far.
local function stepBack(rate, since, least, callsPerMs)
  -- The gap before a call is that of the one before it, and calls were let in with another one still unknown.
  local before = since >= fewCalls and rateAfter(since - 3) * 0.99 or math.sqrt(rate * s.rate)
  if since >= fewCalls then s.tightDoubts = since < s.steps and (s.tightDoubts or 0) + 1 or 0 end
  if (s.tightDoubts or 0) >= 3 then s.isTight, s.tightDoubts = nil, nil end
  s.rate, s.deep, s.isDoubted, s.measureImages = math.max(rate, before), 0, nil, nil
  s.steps = math.min(math.max(90, callsPerMs * tightStepsMs), math.max(least, since))
end

-- Two refusals have measured the rate: s.admitted images between s.emptyAt and emptyAt.
local function measure(n, emptyAt, tried)
  local tookMs, since = emptyAt - s.emptyAt, s.since or 0
  local rate = s.admitted / tookMs
  local callsPerMs = rate / n
  local least = leastSteps(callsPerMs)
  if s.isTight and s.isMeasured then return stepBack(rate, since, least, callsPerMs) end
  if s.isMeasured and not s.isDoubted and since < 1.5 * s.steps then
    -- Refused where nothing was refused before: a hiccup, or the limit was lowered. The next refusal will tell.
    s.isDoubted, s.deep, s.measureImages = 1, 1, nil
    s.steps = math.max(least, since / 4)
    return
  end
  if s.isMeasured and rate > s.rate * 1.05 + 2 / tookMs * n and callsPerMs * 1000 > 3 then
    -- More than the limit that was believed: it was raised. What was saved up until then says nothing of the new one.
    return startSearch(n, tried)
  end
  -- Where there was too little to do, it is the lane that was slow.
  if s.isMeasured and since * n < s.admitted / 2 then rate = math.max(rate, s.rate / 2) end
  -- One refusal may be a hiccup: a large step takes several. Many in a row are none.
  s.rate = math.min(math.max(rate, tried / (s.deep < 3 and 4 or 16)), tried * 0.95)
  -- So many calls to the next refusals that they are one in hundreds, or so many seconds that they are a rare event.
  local longest = math.max(90 * math.min(10, s.refusals), callsPerMs * 15000)
  -- The first time it may have been two hiccups: then more is found soon.
  s.steps = s.isMeasured and math.min(longest, math.max(least, since)) or least
  s.isMeasured, s.isDoubted, s.deep = 1, nil, 0
  s.measureImages, s.measureFrom = s.admitted, s.emptyAt
end

-- A refusal of a call for n images for the sake of a rate, for all calls that had started before. toldMs: the wait that the
-- provider asks for, or -1; told: the rate that it tells; false: none.
local function searchBelow(n, toldMs, told)
  local tried = triedRate()
  -- A long wait ends when the provider has something again; a short one may be rounded up.
  local emptyAt = toldMs > 2000 and now + toldMs or now
  local isAgain = tried and s.emptyAt and emptyAt > s.emptyAt
  -- No limit was kept, and the one that it tells was passed: that is why.
  local isExplained = told and (tried or math.huge) > told and not (s.hintImages or s.hintRequests or s.hintTokens)
  s.cutAt, s.refusals = now, s.refusals or 1
  if isExplained then
    searchFrom(told)
    s.refusals = 0
  elseif isAgain and s.admitted <= 0 then
    s.deep = math.min(deepest, 1 + math.max(0, math.log(s.rate / tried) / math.log(2)))
    correctMeasure(emptyAt)
  else
    if isAgain then measure(n, emptyAt, tried) else startSearch(n, tried) end
    s.refusals = 0
  end
  s.emptyAt, s.admitted, s.since, s.growAt = emptyAt, 0, isExplained and 2 * s.steps or 0, nil
end

-- A call of the same burst was refused, too: it had been counted as let in.
local function searchCorrect(n)
  if s.measureImages and s.admitted == 0 and not s.isFree then
    s.measureImages = s.measureImages - n
    correctMeasure(s.emptyAt)
  end
end
`;
