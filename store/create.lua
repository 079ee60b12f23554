-- Adds a session, and evicts the least recently seen beyond a limit.
--
-- KEYS  1 the user's hash
-- ARGV  1 now, 2 the session's id, 3 to 5 the tombstone of an evicted session,
--       6 the limit or 0, 7 the session's expiry, 8 its field, 9 its data if any
-- reply {'ok', name, field, ...} of those evicted; {'exists'}; {'revoked'}

local id, limit = ARGV[2], tonumber(ARGV[6])
local found = redis.call('HMGET', key, 's:' .. id, 't:' .. id)
if live(found[1]) then
  return {'exists'}
elseif missing(found[2])[1] == 'revoked' then
  return {'revoked'}
end

local evicted, texts, over = {}, {}, {}
if limit > 0 then
  local names, all
  names, all, over = split('s:' .. id)
  local by_seen = {}
  for i, text in ipairs(all) do
    local _, _, _, seen = session(text)
    by_seen[i] = {name = names[i], text = text, seen = seen}
  end
  if #names >= limit then
    table.sort(by_seen, function(a, b) return later(b.seen, a.seen) end)
  end
  for i = 1, #names + 1 - limit do
    evicted[i], texts[i] = by_seen[i].name, by_seen[i].text
  end
end

-- This comes first, for it is what Redis refuses when it is out of memory.
if ARGV[9] then
  redis.call('HSET', key, 's:' .. id, ARGV[8], 'd:' .. id, ARGV[9])
else
  redis.call('HSET', key, 's:' .. id, ARGV[8])
  redis.call('HDEL', key, 'd:' .. id)
end
if found[2] then
  redis.call('HDEL', key, 't:' .. id)
end
drop(over)
if #evicted > 0 then
  drop(evicted)
  bury(evicted, texts)
end

-- Each session that is added looks for others that have expired, so that they do
-- not pile up: a few at random, whatever the number of sessions.
local some = {}
for i, name in ipairs(redis.call('HRANDFIELD', key, -4)) do
  some[i] = (string.sub(name, 1, 2) == 't:' and 't:' or 's:') .. string.sub(name, 3)
end
for i, text in ipairs(redis.call('HMGET', key, unpack(some))) do
  local expires = text and expiry(text)
  if expires and not later(expires, now) then
    redis.call('HDEL', key, some[i], 'd:' .. string.sub(some[i], 3))
  end
end

keep(ARGV[7])
return answer(evicted, texts)
