-- Replaces a live session whose secret hash is still what it was.
--
-- KEYS  1 the user's hash
-- ARGV  1 the session's id, 2 the secret hash, 3 its new field, 4 its data if any
-- reply {'ok'}; {'not found'}; {'revoked'}; {'stale'}

local field, data = 's:' .. ARGV[1], 'd:' .. ARGV[1]
local found = redis.call('HMGET', key, field, 't:' .. ARGV[1])
local old, text = found[1], ARGV[3]
if not live(old) then
  return missing(found[2])
elseif secret(old) ~= ARGV[2] then
  return {'stale'}
end

local renewed, given = renewal(old), renewal(text)
if secret(text) ~= secret(old) then
  local prev = sub(renewed, 1, 32)
  if prev ~= '' and prev ~= nothing and prev == sub(given, 1, 32) and not unused(renewed) then
    return {'stale'} -- the token before the last renewal is too late
  end
  renewed = given
elseif unused(renewed) and given ~= '' then
  renewed = sub(renewed, 1, 50) .. sub(given, 51)
end
local until_then, ends = deadline(text), expires(text)
if until_then == never then
  until_then = deadline(old)
end
if until_then ~= never and ends > until_then then
  ends = until_then
end
text = table.concat({renewed == '' and '1' or '2', sub(text, 2, 51), ends, until_then, sub(text, 88, head), renewed, client(text)})

if ARGV[4] then
  redis.call('HSET', key, field, text, data, ARGV[4])
else
  redis.call('HSET', key, field, text) -- first, for Redis may refuse it
  redis.call('HDEL', key, data)
end
if ends > expires(old) then
  keep(ends)
end
return {'ok'}
