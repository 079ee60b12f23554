-- Turns all live sessions but one into tombstones, and leaves a mark.
--
-- KEYS  1 the user's hash
-- ARGV  1 the id of the session that stays or '', 2 to 4 the tombstone, 5 the id of
--       the session that acts or '', 6 until when the mark is kept, 7 '1' if replicas
--       must know
-- reply {'ok', name, field, ...}; {'not live'} of the one that acts

local found = redis.call('HMGET', key, 's:' .. ARGV[5], 'mark')
if ARGV[5] ~= '' and not live(found[1]) then
  return refused('not live', ARGV[7])
end
local ended, over, count = split('s:' .. ARGV[1])
dirty()
drop(over, 1)
drop(ended, 2)
count = count - #over - #ended / 2

local until_then, what = ARGV[6], revoked .. why
if stands('mark', found[2]) then
  local last = found[2]
  if sub(last, 2, 19) > until_then then
    until_then = sub(last, 2, 19)
  end
  if sub(last, 20, 37) > revoked then
    what = sub(last, 20)
  end
end
redis.call('HSET', key, 'count', count, 'mark', '1' .. until_then .. what)
keep(until_then)
if bury(ended) then
  shrink()
end
return answer(ended)
