-- Keeps unknown ids of a tenant; beyond the limit, the most recent ones.
--
-- KEYS  the tenant's hash, its unknown ids
-- ARGV  most ids to keep, seconds to keep them, then per id "<field> <id>" and "<15 digits of ms> <ticket>"
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for place = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1]) end
local surplus = redis.call('HLEN', KEYS[2]) - tonumber(ARGV[1])
if surplus > 0 then
  local flat, kept = redis.call('HGETALL', KEYS[2]), {}
  for place = 1, #flat, 2 do kept[#kept + 1] = {flat[place + 1], flat[place]} end
  table.sort(kept, function(one, other)
    if one[1] ~= other[1] then return one[1] < other[1] end
    return one[2] < other[2]
  end)
  for place = 1, surplus do redis.call('HDEL', KEYS[2], kept[place][2]) end
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
