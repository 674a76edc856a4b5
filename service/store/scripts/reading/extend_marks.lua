-- Prolongs marks: a mark is an empty string that holds while its key lives.
--
-- KEYS  the marks
-- ARGV  per mark: the milliseconds to add, and the most that it may last from now
for i, key in ipairs(KEYS) do
  local left = math.max(redis.call('PTTL', key), 0)
  redis.call('SET', key, '', 'PX', string.format('%.0f', math.min(left + ARGV[2 * i - 1], tonumber(ARGV[2 * i]))))
end
