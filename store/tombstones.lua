-- What the scripts share that end sessions. What a tombstone says is in ARGV[3],
-- when the session was revoked, ARGV[4], when the tombstone expires at the
-- latest, and ARGV[5], "by reason".

local max_tombstones = 100

local function delete(names)
  each(names, function(from, to)
    redis.call('HDEL', key, unpack(names, from, to))
  end)
end

-- drop deletes sessions, given the names of their fields s:<id>.
local function drop(names)
  local all = {}
  for i, name in ipairs(names) do
    all[2 * i - 1], all[2 * i] = name, 'd' .. string.sub(name, 2)
  end
  delete(all)
end

-- entry returns the name of a tombstone's field as the field "order" has it.
local function entry(name)
  return (#name - 2) .. ':' .. string.sub(name, 3) .. ','
end

-- first returns the name of the field of the first tombstone in entries, or nil,
-- and where the next one starts.
local function first(entries, at)
  local _, colon, length = string.find(entries, '^(%d+):', at)
  if colon and #length < 10 then
    return 't:' .. string.sub(entries, colon + 1, colon + length), colon + length + 2
  end
end

-- recount goes through the tombstones in entries. It deletes those that have
-- expired, and of the others the oldest revocations beyond the limit, and returns
-- what is left: how many, when the first of them expires, and the entries.
local function recount(entries)
  local names, last = {}, {}
  local name, at = first(entries, 1)
  while name do
    names[#names + 1] = name
    last[name] = #names -- one comes twice if its id was used again when it had expired
    name, at = first(entries, at)
  end

  local stay, go = {}, {}
  for i, text in ipairs(values(names)) do
    if text and last[names[i]] == i then
      local expires, revoked = string.match(text, '^%S+ (%-?%d+%.%d+) %S+ (%-?%d+%.%d+) ')
      if expires and later(expires, now) then
        stay[#stay + 1] = {name = names[i], expires = expires, revoked = revoked, place = i}
      else
        go[#go + 1] = names[i]
      end
    end
  end
  table.sort(stay, function(a, b)
    return later(b.revoked, a.revoked) or a.revoked == b.revoked and a.place < b.place
  end)
  local beyond = math.max(#stay - max_tombstones, 0)
  for i = 1, beyond do
    go[#go + 1] = stay[i].name
  end
  delete(go)

  local left, soonest = {}, now
  for i = beyond + 1, #stay do
    left[#left + 1] = entry(stay[i].name)
    if #left == 1 or later(soonest, stay[i].expires) then
      soonest = stay[i].expires
    end
  end
  return #left, soonest, table.concat(left)
end

-- tell lets those who watch the user's sessions know that some have ended. That
-- it is refused, for want of leave to publish, must not undo a revocation.
local function tell()
  redis.pcall('PUBLISH', 'revoke:ended', key)
end

-- confirm writes to the key and changes nothing. What a connection can wait for is
-- that replicas have its own last write, and with it all that Redis wrote before.
local function confirm()
  local left = redis.call('PTTL', key)
  if left > 0 then
    redis.call('PEXPIRE', key, string.format('%.0f', left))
  end
end

-- bury leaves tombstones of sessions, given their fields, and reports whether any
-- expires before its session would have. The sessions must have been dropped: a
-- script that has written already may go on writing when Redis is out of memory,
-- so that a revocation does not fail for want of it.
local function bury(names, texts)
  if #names > 0 then
    tell()
  end
  local shorter, set, added = false, {}, {}
  local count, soonest, latest, entries = string.match(redis.call('HGET', key, 'order') or '',
    '^(%d+) (%-?%d+%.%d+) (%-?%d+%.%d+) (.*)$')
  count, soonest, latest, entries = tonumber(count or 0), soonest or ARGV[4], latest or ARGV[3], entries or ''

  for i = math.max(#names - max_tombstones + 1, 1), #names do
    local secret, expires, created = session(texts[i])
    if later(expires, ARGV[4]) then
      expires, shorter = ARGV[4], true
    end
    if later(expires, now) then
      local name = 't' .. string.sub(names[i], 2)
      set[#set + 1] = name
      set[#set + 1] = secret .. ' ' .. expires .. ' ' .. created .. ' ' .. ARGV[3] .. ' ' .. ARGV[5]
      added[#added + 1] = entry(name)
      if later(soonest, expires) then
        soonest = expires
      end
    end
  end
  if #added == 0 then
    return shorter
  end
  redis.call('HSET', key, unpack(set))

  if later(latest, ARGV[3]) then
    soonest = now -- out of order: to be recounted
  else
    latest = ARGV[3]
  end
  count, entries = count + #added, entries .. table.concat(added)
  if count > max_tombstones and not later(soonest, now) then
    count, soonest, entries = recount(entries)
  elseif count > max_tombstones then -- none has expired
    local go, name, at = {}, nil, 1
    for i = 1, count - max_tombstones do
      name, at = first(entries, at)
      go[i] = name
    end
    delete(go)
    count, entries = max_tombstones, string.sub(entries, at)
  end
  redis.call('HSET', key, 'order', string.format('%d', count) .. ' ' .. soonest .. ' ' .. latest .. ' ' .. entries)
  return shorter
end

-- shrink has the key expire with the last of what it still holds, which after a
-- revocation may be much sooner. A large hash is left to its time.
local function shrink()
  if redis.call('HLEN', key) > 1000 then
    return
  end
  local last = 0
  for _, kind in ipairs({'s:', 't:'}) do
    for _, text in ipairs(values(fields(kind))) do
      local expires = expiry(text)
      if not expires then -- not ours to judge
        return
      end
      last = math.max(last, tonumber(expires) - tonumber(now))
    end
  end
  if last > 0 then
    expire_after(last)
  else
    redis.call('UNLINK', key)
  end
end
