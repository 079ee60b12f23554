-- Records when, and from where, a live session was last seen. Neither that time
-- nor its expiry moves backwards.
--
-- KEYS  1 the user's hash
-- ARGV  1 the session's id, 2 when it was seen, 3 its expiry, 4 the hash of the
--       secret that was presented, 5 the client if that is to change
-- reply {'ok'}; {'not found'}; {'revoked'}

local field = 's:' .. ARGV[1]
local found = redis.call('HMGET', key, field, 't:' .. ARGV[1])
local old = found[1]
if not live(old) then
  return missing(found[2])
end

local at, ends, until_then, renewed = seen(old), expires(old), deadline(old), renewal(old)
if ARGV[2] > at then
  at = ARGV[2]
end
if ARGV[3] > ends then
  ends = ARGV[3]
end
if until_then ~= never and ends > until_then then
  ends = until_then
end
if ARGV[4] == secret(old) and unused(renewed) then
  renewed = sub(renewed, 1, 50) .. ARGV[2]
end
redis.call('HSET', key, field, table.concat({sub(old, 1, 51), ends, until_then, at,
  sub(old, 106, head), renewed, ARGV[5] or client(old)}))
if ends > expires(old) then
  keep(ends)
end
return {'ok'}
