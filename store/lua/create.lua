-- Adds a session, and evicts the least recently seen beyond a limit.
--
-- KEYS  1 the user's hash
-- ARGV  1 the session's id, 2 to 4 the tombstone of an evicted session, 5 the limit
--       or 0, 6 until when the id cannot be created again or '', 7 the session's
--       field, 8 its data if any
-- reply {'ok', name, field, ...} of those evicted; {'exists'}; {'revoked'};
--       {'marked', mark}

local id, limit, once, text = ARGV[1], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local found = redis.call('HMGET', key, 's:' .. id, 't:' .. id, 'o:' .. id, 'mark', 'count')
local old, tomb, before, mark = found[1], found[2], found[3], found[4]
if live(old) then
  return {'exists'}
elseif stands('t:', tomb) or stands('o:', before) then
  return {'revoked'}
elseif stands('mark', mark) and (once ~= '' or created(text) <= string.sub(mark, 20, 37)) then
  return {'marked', mark}
end

-- The other sessions are gone through only if there may be too many.
local evicted, texts, over = {}, {}, {}
local count = tonumber(found[5] or 0) - (old and 1 or 0) -- of the others
if limit > 0 and count >= limit then
  evicted, texts, over, count = split('s:' .. id)
  count = count - (old and 1 or 0) - #over
  local beyond = math.max(count + 1 - limit, 0)
  if beyond > 0 then
    local order = {}
    for i, other in ipairs(texts) do
      local at = seen(other)
      order[i] = {name = evicted[i], text = other, seen = at == never and '9' .. at or at}
    end
    table.sort(order, function(a, b) return a.seen < b.seen end)
    for i = 1, beyond do
      evicted[i], texts[i] = order[i].name, order[i].text
    end
  end
  for i = #evicted, beyond + 1, -1 do
    evicted[i], texts[i] = nil, nil
  end
  count = count - beyond
end

-- This comes first, for it is what Redis refuses when it is out of memory.
local set, ends = {'s:' .. id, text, 'count', count + 1}, expires(text)
if ARGV[8] then
  set[5], set[6] = 'd:' .. id, ARGV[8]
end
if once > now then
  set[#set + 1] = 'o:' .. id
  set[#set + 1] = '1' .. once
  ends = once > ends and once or ends
end
redis.call('HSET', key, unpack(set))
if old and not ARGV[8] then
  redis.call('HDEL', key, 'd:' .. id)
end
if tomb then
  redis.call('HDEL', key, 't:' .. id)
end
drop(over)
drop(evicted)
bury(evicted, texts)

-- Each session that is added looks for what has expired, so that it does not pile
-- up: a few fields at random, whatever the number of sessions.
local some, gone = {}, 0
for i, name in ipairs(redis.call('HRANDFIELD', key, -4)) do
  some[i] = string.sub(name, 1, 2) == 'd:' and 's:' .. string.sub(name, 3) or name
end
for i, value in ipairs(redis.call('HMGET', key, unpack(some))) do
  local name = some[i]
  local ends = value and lasts(name, value)
  if ends and ends <= now then
    local deleted = redis.call('HDEL', key, name)
    if string.sub(name, 1, 2) == 's:' then
      redis.call('HDEL', key, 'd' .. string.sub(name, 2))
      gone = gone + deleted
    end
  end
end
if gone > 0 then
  redis.call('HINCRBY', key, 'count', -gone)
end

keep(ends)
return answer(evicted, texts)
