-- What the scripts share that end sessions.
--
-- The field "order" has the tombstones, the oldest revocation first: '1', how many 6,
-- before when none has expired 18, the latest revocation 18, and <length>:<id>, of
-- each.

local max_tombstones = 100

-- When the sessions are revoked, when their tombstones expire at the latest, and by whom
-- and why.
local revoked, at_latest, why = ARGV[2], ARGV[3], ARGV[4]

-- entry returns a tombstone as the field "order" has it.
local lengths = {} -- as texts, which take long to make
local function entry(id)
  lengths[#id] = lengths[#id] or #id .. ':'
  return lengths[#id] .. id .. ','
end

-- first returns the name of the field of the first tombstone in entries, or nil,
-- and where the next one starts.
local function first(entries, at)
  local colon = string.find(entries, ':', at, true)
  local length = colon and tonumber(sub(entries, at, colon - 1))
  if length then
    return 't:' .. sub(entries, colon + 1, colon + length), colon + length + 2
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
      if stands('t:', text) then
        stay[#stay + 1] = {name = names[i], expires = lasts('t:', text), revoked = sub(text, 70, 87), place = i}
      else
        go[#go + 1] = names[i]
      end
    end
  end
  table.sort(stay, function(a, b)
    return a.revoked < b.revoked or a.revoked == b.revoked and a.place < b.place
  end)
  local beyond = math.max(#stay - max_tombstones, 0)
  for i = 1, beyond do
    go[#go + 1] = stay[i].name
  end
  delete(go)

  local left, soonest = {}, nil
  for i = beyond + 1, #stay do
    left[#left + 1] = entry(sub(stay[i].name, 3))
    if not soonest or stay[i].expires < soonest then
      soonest = stay[i].expires
    end
  end
  return #left, soonest or now, table.concat(left)
end

-- tell lets those who watch the user's sessions know that some have ended. That
-- it is refused, for want of leave to publish, must not undo a revocation.
local function tell()
  redis.pcall('PUBLISH', 'revoke:ended', key)
end

-- refused returns why a revocation was refused. What a connection can wait for is
-- that replicas have its own last write, and with it all that Redis wrote before: so
-- if they must know, something is written, and nothing changed.
local function refused(answer, must_know)
  if must_know == '1' then
    dirty()
    redis.call('HSET', key, '', '')
    redis.call('HDEL', key, '')
  end
  return {answer}
end

-- bury leaves tombstones of a list of sessions, and reports whether any expires before
-- its session would have. The sessions must have been dropped, and so the script has
-- written: see dirty.
local function bury(list)
  if #list == 0 then
    return false
  end
  tell()
  local order = redis.call('HGET', key, 'order')
  if not order or sub(order, 1, 1) ~= '1' or #order < 43 then
    order = '1000000' .. at_latest .. revoked -- if it is malformed, that is no reason not to revoke
  end
  local count, soonest = tonumber(sub(order, 2, 7)), sub(order, 8, 25)
  local latest, entries = sub(order, 26, 43), sub(order, 44)

  local shorter, set, added, n = false, {}, {}, 0
  for i = math.max(#list - 2 * max_tombstones, 0) + 1, #list, 2 do
    local id, text = sub(list[i], 3), list[i + 1]
    local ends, renewal, prev = expires(text), renewal(text), ''
    if ends > at_latest then
      ends, shorter = at_latest, true
    end
    if ends > now then
      if renewal ~= '' then
        prev = unused(renewal) and sub(renewal, 1, 32) or nothing
      end
      n = n + 1
      set[2 * n - 1] = 't:' .. id
      set[2 * n] = sub(text, 1, 51) .. ends .. revoked .. prev .. why -- the two begin alike
      added[n] = entry(id)
      if ends < soonest then
        soonest = ends
      end
    end
  end
  if n == 0 then
    return shorter
  end
  redis.call('HSET', key, unpack(set))

  if latest > revoked then
    soonest = now -- out of order: to be recounted
  else
    latest = revoked
  end
  count, entries = count + n, entries .. table.concat(added)
  if count > max_tombstones and soonest <= now then
    count, soonest, entries = recount(entries)
  elseif count > max_tombstones then -- none has expired
    local go, name, at = {}, nil, 1
    for i = 1, count - max_tombstones do
      name, at = first(entries, at)
      go[i] = name
    end
    delete(go)
    count, entries = max_tombstones, sub(entries, at)
  end
  redis.call('HSET', key, 'order', string.format('1%06d', count) .. soonest .. latest .. entries)
  return shorter
end

-- shrink has the key expire with the last of what it still holds, which after a
-- revocation may be much sooner. A large hash is left to its time.
local function shrink()
  if redis.call('HLEN', key) > 1000 then
    return
  end
  local names, last = {}, now
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if sub(name, 1, 2) ~= 'd:' and name ~= 'count' and name ~= 'order' then
      names[#names + 1] = name
    end
  end
  for i, text in ipairs(values(names)) do
    local ends = lasts(names[i], text)
    if not ends then -- not ours to judge
      return
    end
    last = ends > last and ends or last
  end
  last_until(last)
end
