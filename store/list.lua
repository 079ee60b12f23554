-- Returns the sessions, those that have expired included. It writes nothing.
--
-- KEYS  1 the user's hash
-- reply {'ok', name, field, ...}

local names = fields('s:')
return answer(names, values(names))
