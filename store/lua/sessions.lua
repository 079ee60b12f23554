-- What the scripts share that go through all the sessions of a user.

-- each calls f with the ends of parts of a list, because what unpack can put on
-- Lua's stack is limited.
local function each(list, f)
  for from = 1, #list, 1000 do
    f(from, math.min(from + 999, #list))
  end
end

-- fields returns the names of the fields of a kind, such as 's:'.
local function fields(kind)
  local names = {}
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if string.sub(name, 1, 2) == kind then
      names[#names + 1] = name
    end
  end
  return names
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

-- split returns the names and the values of the fields of the live sessions but
-- one, the names of those of sessions that have expired, and how many there are in
-- all.
local function split(but)
  local names, texts, over = {}, {}, {}
  local all = fields('s:')
  local got = values(all)
  for i, name in ipairs(all) do
    if name == but then -- neither
    elseif live(got[i]) then
      names[#names + 1], texts[#texts + 1] = name, got[i]
    else
      over[#over + 1] = name
    end
  end
  return names, texts, over, #all
end

-- answer replies with sessions: the name and the value of the field of each.
local function answer(names, texts)
  local reply = {'ok'}
  for i, name in ipairs(names) do
    reply[2 * i], reply[2 * i + 1] = name, texts[i]
  end
  return reply
end

local function delete(names)
  each(names, function(from, to)
    redis.call('HDEL', key, unpack(names, from, to))
  end)
end

-- drop deletes sessions, given the names of their fields s:<id>. The field "count"
-- is the caller's.
local function drop(names)
  local all = {}
  for i, name in ipairs(names) do
    all[2 * i - 1], all[2 * i] = name, 'd' .. string.sub(name, 2)
  end
  delete(all)
end
