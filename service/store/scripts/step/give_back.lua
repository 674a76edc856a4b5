-- Ends a lease; 0 when this holder doesn't have it.
--
-- KEYS  the lease
-- ARGV  holder
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
