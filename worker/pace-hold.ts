/**
 * How long a lane has to wait, as a part of the script in `pace-script.ts` (`s`: what is kept of the lane; `KEYS[3]` is the
 * hold, which lives as long as it lasts).
 *
 * - `holdEnd`, `probeAt`: when the last hold ends or ended, and when a call went ahead of the others after it
 */
export const paceHold = String.raw`
-- Redis' clock went back, as with a failover to a machine whose clock is behind: what was kept is moved with it, as if no time
-- had passed since. Left in the future, it would hold the lane for as long as the clock is behind.
local backMs = (s.keptAt or now) - now
if backMs > 0 then
  for _, name in ipairs({
    'imagesAt', 'requestsAt', 'tokensAt', 'cutAt', 'slowAt', 'emptyAt', 'measureFrom', 'growAt', 'fullAt', 'eraAt', 'lastAt', 'holdEnd',
    'probeAt', 'burstAt', 'hintImagesUntil', 'hintRequestsUntil', 'hintTokensUntil',
  }) do
    if s[name] then s[name] = s[name] - backMs end
  end
  local holdMs = math.max(1, math.ceil((s.holdEnd or now) - now))
  if redis.call('pttl', KEYS[3]) > holdMs then redis.call('pexpire', KEYS[3], holdMs) end
  save()
end

local function hold(ms, reason)
  local holdMs = math.max(1, math.ceil(ms))
  if redis.call('pttl', KEYS[3]) < holdMs then redis.call('set', KEYS[3], reason, 'PX', holdMs) end
  s.holdEnd = math.max(s.holdEnd or 0, now + holdMs)
  -- What the hold kept back must not come all at once after it.
  s.imagesAt = math.max(s.imagesAt or 0, s.holdEnd + slackNow())
  s.tokensAt = math.max(s.tokensAt or 0, s.holdEnd + slackMs)
  save()
  return holdMs
end

-- Whether a call has gone ahead of the others after the last hold.
local function isProbed()
  return s.holdEnd and (s.probeAt or 0) >= s.holdEnd
end
`;
