-- Uses a grant of an owner: returns its content and its `until`, or nothing when it has expired or never existed. A new
-- name renames the grant and gives it the time to live of an exchanged grant.
--
-- KEYS  the owner's grants and their contents, see put_grant.lua
-- ARGV  name, new name ("" keeps it)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value then return false end
local ends, exchanged, until_text, digest = string.match(value, '^(%d+) (%d+) %d+ (%S+) (%S+)$')
local content = redis.call('HGET', KEYS[2], digest)
local is_exchange = ARGV[2] ~= ''
if is_exchange or tonumber(ends) <= now then redis.call('HDEL', KEYS[1], ARGV[1]) end
if tonumber(ends) <= now or not content then return false end

local name, ends_at = ARGV[1], ends
if is_exchange then name, ends_at = ARGV[2], exchanged end
redis.call('HSET', KEYS[1], name, string.format('%s %s %.0f %s %s', ends_at, exchanged, now, until_text, digest))
for _, key in ipairs(KEYS) do
  if redis.call('PEXPIRETIME', key) < tonumber(ends_at) then redis.call('PEXPIREAT', key, ends_at) end
end
return { content, until_text }
