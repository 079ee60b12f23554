-- Replaces a live session whose secret hash is still what it was.
--
-- KEYS  1 the user's hash
-- ARGV  1 now, 2 the session's id, 3 the secret hash, 4 the new expiry, 5 its
--       field, 6 its data if any
-- reply {'ok'}; {'not found'}; {'revoked'}; {'stale'}

local field, data = 's:' .. ARGV[2], 'd:' .. ARGV[2]
local found = redis.call('HMGET', key, field, 't:' .. ARGV[2])
if not found[1] then
  return missing(found[2])
end
local secret, expires = session(found[1])
if not later(expires, now) then
  return missing(found[2])
elseif secret ~= ARGV[3] then
  return {'stale'}
end
if ARGV[6] then
  redis.call('HSET', key, field, ARGV[5], data, ARGV[6])
else
  redis.call('HSET', key, field, ARGV[5]) -- first, for Redis may refuse it
  redis.call('HDEL', key, data)
end
if later(ARGV[4], expires) then
  keep(ARGV[4])
end
return {'ok'}
