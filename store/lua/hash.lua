-- The start of every script: how the hash of a user, KEYS[1], is read and kept.
--
-- Texts are cut at fixed places, never searched, and begin with a version:
--
--   s:<id>  '1', secret 32, created 18, expires 18, deadline 18, seen 18, proved 18,
--           client; with the version '2' also, before the client, prev 32,
--           renewed 18, used 18
--   t:<id>  '1', secret 32, created 18, expires 18, revoked 18, by and reason; with
--           the version '2' also, before by, prev 32
--   o:<id>  '1', until 18
--   mark    '1', until 18, at 18, by and reason
--   count   how many fields s:<id> there are
--   order   of the tombstones, see tombstones.lua
--
-- Times are microseconds since the beginning of the year 1, in 18 digits, so that
-- they compare as texts, and the zero time is all zeros.

local key = KEYS[1]
local sub = string.sub
local never = '000000000000000000'
local nothing = string.rep('\0', 32) -- the hash of none
local year_1970 = 62135596800

-- now is the time by Redis's own clock, which decides what has expired.
local clock = redis.call('TIME')
local now = string.format('%012.0f%06d', clock[1] + year_1970, clock[2])

local head = 123 -- how many bytes come before what may be missing

-- known reports whether a text is of a version that is known here, and as long as
-- one must be, without and with what is missing from the first version.
local function known(text, short, long)
  local version = string.byte(text, 1, 1)
  return version == 49 and #text >= short or version == 50 and #text >= long
end

-- live reports whether there is such a session, and it has not expired.
local function live(text)
  if not text then
    return false
  elseif not known(text, head, head + 68) then
    error('session that is malformed or of another version')
  end
  return sub(text, 52, 69) > now
end

-- lasts returns when what is in a field expires, by the name of the field: nil if it
-- is malformed, of another version, or does not expire by itself.
local function lasts(name, text)
  local kind = sub(name, 1, 2)
  if kind == 's:' and known(text, head, head + 68) or kind == 't:' and known(text, 87, 119) then
    return sub(text, 52, 69)
  elseif kind == 'o:' and known(text, 19, math.huge) or name == 'mark' and known(text, 37, math.huge) then
    return sub(text, 2, 19)
  end
end

-- stands reports whether there is such a field and it has not expired.
local function stands(name, text)
  return text and (lasts(name, text) or error('a field that is malformed or of another version')) > now
end

-- These cut a session.
local function secret(text) return sub(text, 2, 33) end
local function created(text) return sub(text, 34, 51) end
local function deadline(text) return sub(text, 70, 87) end
local function seen(text) return sub(text, 88, 105) end

-- renewal returns prev, renewed and used, or '' if there are none.
local function renewal(text)
  return string.byte(text, 1, 1) == 50 and sub(text, head + 1, head + 68) or ''
end
local function client(text)
  return sub(text, head + 1 + #renewal(text))
end

-- unused reports whether a renewal has a prev that may still open the session.
local function unused(renewal)
  return renewal ~= '' and sub(renewal, 51) == never and sub(renewal, 1, 32) ~= nothing
end

-- expires returns when a session that was checked expires.
local function expires(text) return sub(text, 52, 69) end

-- missing says why a session is not live, given its field t:<id>.
local function missing(tombstone)
  return {stands('t:', tombstone) and 'revoked' or 'not found'}
end

-- milliseconds returns a time as a number that is exact, since 1970.
local function milliseconds(time)
  return tonumber(sub(time, 1, 15)) - year_1970 * 1000
end

-- last_until has the key expire at that time.
local function last_until(time)
  redis.call('PEXPIREAT', key, string.format('%.0f', math.min(milliseconds(time) + 1, 1e15)))
end

-- keep has the key last until that time at least.
local function keep(time)
  local left = milliseconds(time) - milliseconds(now)
  if redis.call('PTTL', key) < math.max(left, 1) then
    last_until(time)
  end
end

-- dirty is called before a script that revokes writes: Redis lets a script that
-- has written go on when it is out of memory, and refuses to begin with a HSET.
local function dirty()
  redis.call('HDEL', key, '')
end
