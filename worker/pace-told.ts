/**
 * Limits that the provider told, as a part of the script in `pace-script.ts` (`s`: what is kept of the lane).
 *
 * What answers tell is believed for a minute, and told again meanwhile. While the limit that a refusal told is kept, nothing
 * tells it again, and it may have been raised: after 120 calls, or a minute and a half, the lane tries a little more, and
 * ever more until it is refused again.
 *
 * What it keeps:
 * - `hintImages`, `hintRequests`, `hintTokens`, `hintImagesUntil`, …: limits a minute that were told, and for how long
 */
export const paceTold = String.raw`
local answeredMs = 60000
local refusedMs, refusedCalls = 90000, 120
local longestRefusedMs = 600000

local function learn(images, requests, tokens, forMs)
  if images > 0 then s.hintImages, s.hintImagesUntil = images, now + forMs end
  if requests > 0 then s.hintRequests, s.hintRequestsUntil = requests, now + forMs end
  if tokens > 0 then s.hintTokens, s.hintTokensUntil = tokens, now + forMs end
end

local function learnFromRefusal(images, requests, tokens, callsPerMs)
  local forMs = callsPerMs and refusedCalls / callsPerMs or 0
  learn(images, requests, tokens, math.min(longestRefusedMs, math.max(refusedMs, forMs)))
end

-- Calls a millisecond for n images, counted as so many tokens, that the limits which a refusal tells let in; false: it tells none.
local function toldCalls(n, images, requests, tokens, counted)
  local least = math.min(images > 0 and images / n or math.huge, requests > 0 and requests or math.huge)
  if tokens > 0 and counted > 0 then least = math.min(least, tokens / counted) end
  return least < math.huge and least / 60000
end

-- What was told is believed no longer. Where there were refusals the lane goes on from there and looks for more.
local function forgetTold()
  local rates = {
    Images = (s.hintImages or 0) / 60000,
    Requests = (s.hintRequests or 0) / 60000 * (s.lastImages or 1),
    Tokens = rateByTokens() or 0,
  }
  local least = math.huge
  for unit, rate in pairs(rates) do
    local name = 'hint' .. unit
    if s[name] and s[name .. 'Until'] <= now then
      s[name] = nil
      if unit == 'Tokens' then s.countedFactor = nil end
      if rate > 0 then least = math.min(least, rate) end
    end
  end
  if not s.rate or least == math.huge then return end
  searchFrom(least)
  s.steps = leastSteps(least / (s.lastImages or 1))
  s.since, s.growAt = 2 * s.steps, now
end
`;
