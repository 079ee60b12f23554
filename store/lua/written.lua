-- Writes something, and changes nothing, so that replicas can be waited for.
--
-- KEYS  1 a key that is not there
-- reply {'ok'}

dirty()
redis.call('HSET', key, '', '')
redis.call('HDEL', key, '')
return {'ok'}
