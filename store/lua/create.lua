-- Adds a session, and evicts the least recently seen beyond a limit.
--
-- KEYS  1 the user's hash
-- ARGV  1 the session's id, 2 to 4 the tombstone of an evicted session, 5 the limit
--       or 0, 6 until when the id cannot be created again or '', 7 the session's
--       field, 8 its data if any
-- reply {'ok', name, field, ...} of those evicted; {'exists'}; {'revoked'};
--       {'marked', mark}

local last = '999999999999999999' -- after any time
local id, limit, once, text = ARGV[1], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local found = redis.call('HMGET', key, 's:' .. id, 't:' .. id, 'o:' .. id, 'mark', 'count')
local old, tomb, before, mark = found[1], found[2], found[3], found[4]
if live(old) then
  return {'exists'}
elseif stands('t:', tomb) or stands('o:', before) then
  return {'revoked'}
elseif stands('mark', mark) and (once ~= '' or created(text) <= sub(mark, 20, 37)) then
  return {'marked', mark}
end

-- The other sessions are gone through only if there may be too many.
local evicted, over = {}, {}
local count = tonumber(found[5] or 0) - (old and 1 or 0) -- of the others
if limit > 0 and count >= limit then
  local others
  others, over = split('s:' .. id)
  count = #others / 2
  local beyond = math.max(count + 1 - limit, 0)
  if beyond > 0 then
    local order, text_of = {}, {}
    for i = 1, #others, 2 do
      local name, at = others[i], seen(others[i + 1])
      text_of[name] = others[i + 1]
      order[#order + 1] = (at == never and last or at) .. name
    end
    table.sort(order)
    for i = 1, beyond do
      local name = sub(order[i], #last + 1)
      evicted[2 * i - 1], evicted[2 * i] = name, text_of[name]
    end
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
drop(over, 1)
drop(evicted, 2)
bury(evicted)

-- Each session that is added looks for what has expired, so that it does not pile
-- up: a few fields at random, whatever the number of sessions.
local some, gone = {}, 0
for i, name in ipairs(redis.call('HRANDFIELD', key, -4)) do
  some[i] = sub(name, 1, 2) == 'd:' and 's:' .. sub(name, 3) or name
end
for i, value in ipairs(redis.call('HMGET', key, unpack(some))) do
  local name = some[i]
  local ends = value and lasts(name, value)
  if ends and ends <= now then
    local deleted = redis.call('HDEL', key, name)
    if sub(name, 1, 2) == 's:' then
      redis.call('HDEL', key, 'd' .. sub(name, 2))
      gone = gone + deleted
    end
  end
end
if gone > 0 then
  redis.call('HINCRBY', key, 'count', -gone)
end

keep(ends)
return answer(evicted)
