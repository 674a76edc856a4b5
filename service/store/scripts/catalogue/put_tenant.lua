-- Replaces or removes a tenant's record if its record version is the expected one ("": no record). Generations of a removed
-- tenant become orphans, which consumers remove piece by piece.
--
-- KEYS  the tenant's hash, the bucket's set of tenants, the bucket's set of orphans, its column demands, its backfill
--       progress, its unknown ids, the hash and the due set of its building
-- ARGV  tenant, expected record version, new record version ("" removes), generation, record
local token = redis.call('HGET', KEYS[1], 'token') or ''
if token ~= ARGV[2] then return 0 end
if ARGV[3] == '' then
  redis.call('SADD', KEYS[3], ARGV[1] .. ' ' .. redis.call('HGET', KEYS[1], 'generation'))
  local building = redis.call('HGET', KEYS[7], 'generation')
  if building then redis.call('SADD', KEYS[3], ARGV[1] .. ' ' .. building) end
  redis.call('DEL', KEYS[1], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
  redis.call('SREM', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[1], 'token', ARGV[3], 'generation', ARGV[4], 'record', ARGV[5])
  redis.call('SADD', KEYS[2], ARGV[1])
  redis.call('HINCRBY', KEYS[1], 'version', 1)
end
redis.call('PUBLISH', 'tc:hints', ARGV[1] .. ' ' .. (redis.call('HGET', KEYS[1], 'version') or '0'))
return 1
