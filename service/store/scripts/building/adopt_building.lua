-- Has a building judged by another record from now on, if it is still the one and judged by the expected record.
--
-- KEYS  the building's hash
-- ARGV  generation, expected token, new token, complete columns
local is = redis.call('HMGET', KEYS[1], 'generation', 'token')
if is[1] ~= ARGV[1] or is[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[3], 'complete', ARGV[4])
return 1
