-- Moves some of a building's due tickets to the bucket's due set. They must be due long after the swap: the bucket's
-- timers drop due tickets of a generation that doesn't serve yet.
--
-- KEYS  the bucket's due set, the building's hash, the building's due set
-- ARGV  generation, due since (the first call's value holds), most tickets
local call = redis.call
local is = call('HMGET', KEYS[2], 'generation', 'merged_from')
if is[1] ~= ARGV[1] then return 0 end
if not is[2] then call('HSET', KEYS[2], 'merged_from', ARGV[2]) end
local found = call('ZRANGEBYSCORE', KEYS[3], is[2] or ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #found, 2 do
  call('ZADD', KEYS[1], found[i + 1], found[i])
  call('ZREM', KEYS[3], found[i])
end
return #found / 2
