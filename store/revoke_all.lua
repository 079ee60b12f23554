-- Turns all live sessions but one into tombstones.
--
-- KEYS  1 the user's hash
-- ARGV  1 now, 2 the id of the session that stays or '', 3 to 5 the tombstone,
--       6 the id of the session that acts or '', 7 '1' if replicas must have it
-- reply {'ok', name, field, ...}; {'not live'} of the one that acts

if ARGV[6] ~= '' and not live(redis.call('HGET', key, 's:' .. ARGV[6])) then
  return {'not live'}
end
local names, texts, over = split('s:' .. ARGV[2])
if #names + #over > 0 then
  drop(over)
  drop(names)
  if bury(names, texts) then
    shrink()
  end
end
if #names == 0 and ARGV[7] == '1' then
  confirm()
end
return answer(names, texts)
