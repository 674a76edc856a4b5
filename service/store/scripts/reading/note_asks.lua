-- Notes when column demands were last requested, by the caller's clock but never later than this server's: a time
-- in the future would keep their columns until then.
--
-- KEYS  the tenant's column demands
-- ARGV  now in ms, then each demand
local time = redis.call('TIME')
local now = math.min(tonumber(ARGV[1]), time[1] * 1000 + math.floor(time[2] / 1000))
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'GT', now, ARGV[i]) end
return #ARGV - 1
