-- Counts a request towards a limit, by the generic cell rate algorithm (GCRA): the
-- key holds the time, in microseconds, at which the limit will be unused again.
--
-- KEYS  1 what is limited
-- ARGV  1 the microseconds that one request takes up, 2 how many may come at once
-- reply the microseconds to wait, 0 for a request within the limit

local cost, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local unused = tonumber(redis.call('GET', KEYS[1]) or now)
-- Not more than what the limit allows, though the clock may have been set back.
unused = math.min(math.max(unused, now), now + cost * burst) + cost
local wait = unused - cost * burst - now
if wait > 0 then
  return math.ceil(wait)
end
redis.call('SET', KEYS[1], string.format('%.0f', unused), 'PX', math.ceil((unused - now) / 1000))
return 0
