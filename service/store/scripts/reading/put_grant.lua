-- Stores a grant of an owner. Removes expired grants, the least recently used ones beyond the limits, and contents that
-- no grant refers to any more.
--
-- KEYS  the owner's grants (hash: name -> "<ends at> <ends at once exchanged> <used at> <until> <digest of its content>",
--       times in milliseconds), their contents (hash: digest -> content)
-- ARGV  name, milliseconds to its end, to its end once exchanged, until, digest, content, most grants, most bytes of
--       contents (0: no limit of either)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends_at, exchanged_ends_at = now + ARGV[2], now + ARGV[3]
local most, most_bytes = tonumber(ARGV[7]), tonumber(ARGV[8])

local live, gone = {}, {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local ends, used, digest = string.match(flat[i + 1], '^(%d+) %d+ (%d+) %S+ (%S+)$')
  local grant = { name = flat[i], ends = tonumber(ends), used = tonumber(used), digest = digest }
  if grant.name ~= ARGV[1] then
    if grant.ends <= now then gone[#gone + 1] = grant.name else live[#live + 1] = grant end
  end
end
table.sort(live, function(a, b) return a.used > b.used or (a.used == b.used and a.name > b.name) end)

local used_digests, kept, bytes, last = { [ARGV[5]] = true }, 1, #ARGV[6], ends_at
for _, grant in ipairs(live) do
  local more = used_digests[grant.digest] and 0 or redis.call('HSTRLEN', KEYS[2], grant.digest)
  if most > 0 and (kept >= most or bytes + more > most_bytes) then
    gone[#gone + 1] = grant.name
  else
    used_digests[grant.digest], kept, bytes, last = true, kept + 1, bytes + more, math.max(last, grant.ends)
  end
end
for _, name in ipairs(gone) do redis.call('HDEL', KEYS[1], name) end
for _, digest in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not used_digests[digest] then redis.call('HDEL', KEYS[2], digest) end
end

local value = string.format('%.0f %.0f %.0f %s %s', ends_at, exchanged_ends_at, now, ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], ARGV[1], value)
redis.call('HSET', KEYS[2], ARGV[5], ARGV[6])
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, string.format('%.0f', last)) end
