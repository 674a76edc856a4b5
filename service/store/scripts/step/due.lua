-- Returns due tickets of a bucket, ordered by due time, oldest first. Raises the timers when none is due, never lowers
-- them.
--
-- KEYS  state, due
-- ARGV  now, most tickets
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
if #found > 0 then return found end
local timers = redis.call('HGET', KEYS[1], 'timers')
if not timers or tonumber(timers) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'timers', ARGV[1]) end
return {}
