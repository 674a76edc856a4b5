-- Switches a building to another record, if its generation and its record version are the expected ones.
--
-- KEYS  the building's hash
-- ARGV  generation, expected record version, new record version, complete columns
local is = redis.call('HMGET', KEYS[1], 'generation', 'token')
if is[1] ~= ARGV[1] or is[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[3], 'complete', ARGV[4])
return 1
