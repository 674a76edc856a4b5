-- Takes or renews one place of each quota for a claimant, and never shortens its time. Takes no place and returns 0
-- when one quota is used up; else returns 1.
--
-- KEYS  per quota a sorted set: claimants by the expiry of their place, in milliseconds
-- ARGV  claimant, time to live in milliseconds, then per quota: its number of places
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if not redis.call('ZSCORE', key, ARGV[1]) and redis.call('ZCARD', key) >= tonumber(ARGV[2 + i]) then return 0 end
end
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key, 'GT', now + ARGV[2], ARGV[1])
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', key, string.format('%.0f', last))
end
return 1
