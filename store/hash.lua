-- The start of every script: how the hash of a user, KEYS[1], is read and kept.
-- ARGV[1] is the time now; times are texts as in the fields, seconds since 1970 in
-- decimal, and are kept as they are given.

local key, now = KEYS[1], ARGV[1]

-- session takes the field s:<id> apart: secret, expires, created, seen, proved, client.
local function session(text)
  local secret, expires, created, seen, proved, client = string.match(text,
    '^([%w_-]+) (%-?%d+%.%d%d%d%d%d%d%d%d%d) (%-?%d+%.%d%d%d%d%d%d%d%d%d) (%-?%d+%.%d%d%d%d%d%d%d%d%d) (%-?%d+%.%d%d%d%d%d%d%d%d%d) (.*)$')
  if not secret or #secret ~= 43 then
    error('malformed session')
  end
  return secret, expires, created, seen, proved, client
end

-- later compares times. As numbers they are rounded to 16 digits, so that those
-- which come out the same are compared as texts.
local function later(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x ~= y then
    return x > y
  end
  local further = #a > #b or #a == #b and a > b -- from 1970
  if string.sub(a, 1, 1) == '-' then
    return a ~= b and not further
  end
  return further
end

-- expiry returns when a session or a tombstone expires, or nil.
local function expiry(text)
  return string.match(text, '^[%w_-]+ (%-?%d+%.%d%d%d%d%d%d%d%d%d) ')
end

-- live reports whether there is such a session and it has not expired.
local function live(text)
  if not text then
    return false
  end
  local _, expires = session(text)
  return later(expires, now)
end

-- missing says why a session is not live, given the field t:<id>.
local function missing(tombstone)
  if not tombstone then
    return {'not found'}
  end
  local expires = expiry(tombstone) or error('malformed tombstone')
  return {later(expires, now) and 'revoked' or 'not found'}
end

-- expire_after has the key expire so many seconds from now, by Redis's clock.
local function expire_after(seconds)
  local ttl = math.min(math.max(math.ceil(seconds * 1000) + 1, 1), 1e14)
  redis.call('PEXPIRE', key, string.format('%.0f', ttl))
end

-- keep has the key last until then at least.
local function keep(expires)
  local seconds = tonumber(expires) - tonumber(now)
  if redis.call('PTTL', key) < math.max(seconds * 1000, 1) then
    expire_after(seconds)
  end
end
