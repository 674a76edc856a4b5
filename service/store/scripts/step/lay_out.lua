-- Writes the layout of an empty Redis in one step, so that no reader finds a part of it.
--
-- KEYS  the layout
-- ARGV  format, number of buckets
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'format', ARGV[1], 'buckets', ARGV[2]) end
return 1
