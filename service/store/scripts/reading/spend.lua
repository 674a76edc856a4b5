-- Takes tokens from token buckets: from all of them, or from none. A bucket is one number, the instant at which it is
-- full again (the generic cell rate algorithm, ITU-T I.371). Returns the microseconds to wait, 0 when it took tokens.
--
-- KEYS  the buckets
-- ARGV  per bucket: the microseconds in which an empty bucket refills, and those in which the taken tokens do
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at, wait = {}, 0
for i, key in ipairs(KEYS) do
  local capacity, cost = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local before = tonumber(redis.call('GET', key) or '0')
  before = math.min(before, now + capacity) -- the clock may have been set back
  full_at[i] = math.max(before, now) + cost
  wait = math.max(wait, full_at[i] - now - capacity)
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', full_at[i]), 'PX', math.max(1, math.ceil((full_at[i] - now) / 1000)))
end
return 0
