-- Records when, and from where, a live session was last seen. Neither that time
-- nor its expiry moves backwards.
--
-- KEYS  1 the user's hash
-- ARGV  1 now, 2 the session's id, 3 when it was seen, 4 its expiry, 5 the client
--       if that is to change
-- reply {'ok'}; {'not found'}; {'revoked'}

local field = 's:' .. ARGV[2]
local found = redis.call('HMGET', key, field, 't:' .. ARGV[2])
if not found[1] then
  return missing(found[2])
end
local secret, expires, created, seen, proved, client = session(found[1])
if not later(expires, now) then
  return missing(found[2])
end
if later(ARGV[3], seen) then
  seen = ARGV[3]
end
local longer = later(ARGV[4], expires)
if longer then
  expires = ARGV[4]
end
redis.call('HSET', key, field, table.concat({secret, expires, created, seen, proved, ARGV[5] or client}, ' '))
if longer then
  keep(expires)
end
return {'ok'}
