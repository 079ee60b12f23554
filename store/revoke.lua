-- Turns a live session into a tombstone.
--
-- KEYS  1 the user's hash
-- ARGV  1 now, 2 the session's id, 3 to 5 the tombstone, 6 the id of the session
--       that acts or '', 7 '1' if replicas must have it
-- reply {'ok', name, field}; {'not found'}, with 'revoked' behind it where replicas
--       must have the tombstone; {'not live'} of the one that acts

local name, by = 's:' .. ARGV[2], ARGV[6]
local found = redis.call('HMGET', key, name, 's:' .. by, 't:' .. ARGV[2])
if by ~= '' and not live(found[2]) then
  return {'not live'}
elseif not live(found[1]) then
  if found[3] and ARGV[7] == '1' then
    confirm()
    return {'not found', 'revoked'}
  end
  return {'not found'}
end
drop({name})
if bury({name}, {found[1]}) then
  local left = tonumber(expiry(found[1])) - tonumber(now)
  if redis.call('PTTL', key) < (left + 60) * 1000 then -- it was what kept the key
    shrink()
  end
end
return answer({name}, {found[1]})
