-- Turns a live session into a tombstone.
--
-- KEYS  1 the user's hash
-- ARGV  1 the session's id, 2 to 4 the tombstone, 5 the id of the session that acts
--       or '', 6 '1' if replicas must know
-- reply {'ok', name, field}; {'not found'}; {'not live'} of the one that acts

local name, by = 's:' .. ARGV[1], ARGV[5]
local found = redis.call('HMGET', key, name, 's:' .. by)
if by ~= '' and not live(found[2]) then
  return refused('not live', ARGV[6])
elseif not live(found[1]) then
  return refused('not found', ARGV[6])
end

local ended = {name, found[1]}
drop(ended, 2)
redis.call('HINCRBY', key, 'count', -1)
if bury(ended) then
  local left = milliseconds(expires(found[1])) - milliseconds(now)
  if redis.call('PTTL', key) < left + 60000 then -- it was what kept the key
    shrink()
  end
end
return answer(ended)
