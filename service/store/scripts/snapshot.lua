-- One atomic read of one tenant's counts. Decides nothing but whether the caller's record is still the current one.
--
-- KEYS  state, the tenant's hash, the counter of all tickets, then other counters
-- ARGV  1 token, then columns of the counter of all tickets
local tenant = redis.call('HMGET', KEYS[2], 'token', 'version', 'as_of')
if tenant[1] ~= ARGV[1] then return false end
local columns = {}
if #ARGV > 1 then columns = redis.call('HMGET', KEYS[3], unpack(ARGV, 2)) end
local counters = {}
for i = 4, #KEYS do counters[i - 3] = redis.call('GET', KEYS[i]) end
return {redis.call('TIME'), redis.call('HGETALL', KEYS[1]), tenant[2] or '0', tenant[3] or '', columns, counters}
