-- Stores a realm, or returns 0 when this one or a newer one is stored. A removal keeps its offset.
--
-- KEYS  the values, their offsets
-- ARGV  name, offset, value ("" removes)
local stored = redis.call('HGET', KEYS[2], ARGV[1])
if stored and tonumber(stored) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
