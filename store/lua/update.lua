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

local renewed, given = renewal(text), renewal(text)
if secret(text) == secret(old) then
  renewed = renewal(old)
  if unused(renewed) and given ~= '' then
    renewed = string.sub(renewed, 1, 50) .. string.sub(given, 51)
  end
end
local until_then, ends = deadline(text), expires(text)
if until_then == never then
  until_then = deadline(old)
end
if until_then ~= never and ends > until_then then
  ends = until_then
end
text = table.concat({renewed == '' and '1' or '2', secret(text), ends, until_then, string.sub(text, 70, head), renewed, client(text)})

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
