/**
 * How a lane keeps a limit on tokens a minute, as a part of the script in `pace-script.ts` (`s`: what is kept of the lane).
 *
 * What a call takes is known only with its answer. So it sets aside what it is expected to take when it starts, and the
 * difference is made up for when it is answered. Workers guess from size, quality and prompt; what answers tell makes the
 * guesses better. A guess below 0 says only how much more a call takes than another one: such calls go one at a time until
 * the first answer.
 *
 * What it keeps:
 * - `tokensAt`: until when calls that were let go have used up the limit
 * - `tokensBack`: tokens that were set aside and not taken: the next calls have them
 * - `tokenFactor`, `tokenAnswers`: tokens that answers told for each that was guessed, and of how many answers that is the mean
 * - `isUntold`: there were answers, and they told no tokens
 * - `countedFactor`: tokens that the provider's last refusal counted for each that was guessed
 * - `perToken`: milliseconds of the limit that one token takes up; 0: no limit
 * - `lastTokens`: what the last call set aside
 */
export const paceTokens = String.raw`
local mostDebtMs = 60000  -- what was taken longer ago is free again, whatever was set aside for it
local mostBackMs = 2000   -- and so much of the limit is kept for what was set aside and not taken
local meanOf = 50         -- answers that a guess is corrected by

-- The limit as it is now. Where it changes, what was used up of it stays used up.
local function limitTokens(given)
  local perToken = spacing(given, s.hintTokens)
  -- A provider may count another number of tokens than its answers tell, such as those of the prompt alone. Within a factor of
  -- two it is the calls that differ.
  local share = s.countedFactor and s.tokenFactor and s.countedFactor / s.tokenFactor or 1
  if share < 0.5 or share > 2 then perToken = perToken * share end
  local before = s.perToken or 0
  if perToken == 0 then s.tokensAt, s.tokensBack = nil, nil
  elseif before > 0 and s.tokensAt then s.tokensAt = now + (s.tokensAt - now) * perToken / before end
  s.perToken = perToken
end

-- answered: calls; answers: those of them that told tokens; off: how many more than were set aside for them
local function learnTokens(answered, answers, told, guessed, off)
  if guessed > 0 then
    local factor = told / guessed
    s.tokenAnswers = math.min(meanOf, (s.tokenAnswers or 0) + answers)
    s.tokenFactor = (s.tokenFactor or 0) + (factor - (s.tokenFactor or 0)) * math.min(1, answers / s.tokenAnswers)
  elseif answered > 0 then s.isUntold = 1 end
  if s.perToken == 0 or off == 0 then return end
  local back, from = (s.tokensBack or 0) - off, s.tokensAt or now
  if back < 0 then s.tokensAt = math.max(from, math.min(from - back * s.perToken, now + mostDebtMs)) end
  s.tokensBack = math.max(0, math.min(back, math.max(mostBackMs / s.perToken, s.lastTokens or 0)))
end

-- What a call is expected to take; false where nobody knows.
local function tokensOf(guess)
  local factor = s.tokenFactor or s.countedFactor or guess >= 0 and 1
  return factor and math.abs(guess) * factor
end

-- How long a call has to wait for tokens; running: calls of the lane that are in flight.
local function waitForTokens(guess, running)
  if running > 0 and not tokensOf(guess) and not s.isUntold then return 200, 'tokens' end
  local ahead = (s.tokensAt or 0) - now
  if ahead <= slackMs then return 0, '' end
  return math.ceil(ahead - slackMs), 'tokens'
end

local function setTokensAside(guess)
  local tokens = tokensOf(guess) or 0
  local back = s.tokensBack or 0
  local free = math.min(back, tokens)
  s.tokensBack, s.lastTokens = back - free, tokens
  s.tokensAt = math.max(s.tokensAt or 0, now) + (tokens - free) * s.perToken
end

-- A limit on tokens is not told any more: images a millisecond that were let go by it; nil where none were.
local function rateByTokens()
  local used = (s.lastTokens or 0) * (s.perToken or 0)
  return used > 0 and s.lastImages / used or nil
end
`;
