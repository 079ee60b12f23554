-- What the scripts share that go through all the sessions of a user.
--
-- A list of sessions has the name and the value of the field of each, in turn.

-- each calls f with the ends of parts of a list, because what unpack can put on
-- Lua's stack is limited.
local function each(list, f)
  for from = 1, #list, 1000 do
    f(from, math.min(from + 999, #list))
  end
end

-- values returns the values of fields, false where there is none.
local function values(names)
  local all = {}
  each(names, function(from, to)
    for i, value in ipairs(redis.call('HMGET', key, unpack(names, from, to))) do
      all[from + i - 1] = value
    end
  end)
  return all
end

-- split returns a list of the live sessions but one, the names of the fields of those
-- that have expired, and how many there are in all.
local function split(but)
  local list, n, over = {}, 0, {}
  -- A count that no hash reaches has Redis return all at once.
  local all = redis.call('HSCAN', key, 0, 'MATCH', 's:*', 'COUNT', 1000000000)[2]
  for i = 1, #all, 2 do
    local name, text = all[i], all[i + 1]
    if name == but then -- neither
    elseif live(text) then
      list[n + 1], list[n + 2] = name, text
      n = n + 2
    else
      over[#over + 1] = name
    end
  end
  return list, over, #all / 2
end

-- answer replies with sessions.
local function answer(list)
  table.insert(list, 1, 'ok')
  return list
end

local function delete(names)
  each(names, function(from, to)
    redis.call('HDEL', key, unpack(names, from, to))
  end)
end

-- drop deletes sessions, given the names of their fields s:<id>: those in a list are a
-- step of two apart. The field "count" is the caller's.
local function drop(names, step)
  local all, n = {}, 0
  for i = 1, #names, step do
    local name = names[i]
    all[n + 1], all[n + 2] = name, 'd' .. sub(name, 2)
    n = n + 2
  end
  delete(all)
end
