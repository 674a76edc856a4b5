-- Notes when something was last asked for, by the caller's clock but never ahead of this server's: a mark from the future
-- would keep its columns until then.
--
-- KEYS  what is asked of the tenant
-- ARGV  now in ms, then each that was asked for
local time = redis.call('TIME')
local now = math.min(tonumber(ARGV[1]), time[1] * 1000 + math.floor(time[2] / 1000))
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'GT', now, ARGV[i]) end
return #ARGV - 1
