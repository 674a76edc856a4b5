-- Stores a credential unless a newer one is stored, and updates the index of admins' names. A removal keeps its offset.
-- An equal offset means the same credential: writing it again costs nothing, and repairs an index that lacks it.
--
-- KEYS  the values, their offsets, the index: "<admin's name>\0<identifier>" in order of bytes
-- ARGV  identifier, offset, value ("" removes)
local stored = redis.call('HGET', KEYS[2], ARGV[1])
if stored and tonumber(stored) > tonumber(ARGV[2]) then return 0 end
local function member(packed) return cmsgpack.unpack(packed).admin.username .. '\0' .. ARGV[1] end
local added = ARGV[3] ~= '' and member(ARGV[3])
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before then redis.call('ZREM', KEYS[3], member(before)) end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if added then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('ZADD', KEYS[3], 0, added)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
