-- Notes when everyone was revoked, for good. That time never moves back.
--
-- KEYS  1 the key, which is the prefix of all others
-- reply {'ok'}

local at = redis.call('GET', KEYS[1])
redis.call('UNLINK', KEYS[1]) -- first: then Redis goes on when it is out of memory
redis.call('SET', KEYS[1], at and at > now and at or now)
return {'ok'}
