-- Begins the next generation of a tenant, or only gives up the existing building, which becomes an orphan.
--
-- KEYS  the tenant's hash, the building's hash, the building's due set, the bucket's set of orphans
-- ARGV  tenant, generation of the existing building ("": none), then fields and values of the new one, if any
local new = {}
for i = 3, #ARGV, 2 do new[ARGV[i]] = ARGV[i + 1] end
local last = redis.call('HGET', KEYS[2], 'generation') or ''
if last ~= ARGV[2] then return 0 end
if #ARGV > 2 then
  local serving = redis.call('HMGET', KEYS[1], 'token', 'generation')
  if serving[1] ~= new.token or serving[2] ~= new.base then return 0 end
end
if last ~= '' then redis.call('SADD', KEYS[4], ARGV[1] .. ' ' .. last) end
redis.call('DEL', KEYS[2], KEYS[3])
if #ARGV > 2 then redis.call('HSET', KEYS[2], unpack(ARGV, 3)) end
return 1
