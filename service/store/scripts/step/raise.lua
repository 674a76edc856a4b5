-- Raises a number in a hash, never lowers it.
--
-- KEYS  the hash
-- ARGV  field, number
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored or tonumber(stored) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1
