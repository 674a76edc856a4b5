-- Replaces counters by their right values, if the tenant is still at the version at which they were compared. Validates
-- everything first, then writes: Redis never rolls back.
--
-- KEYS  the tenant's hash, the bucket's audit, the counter of all tickets, then other counters, then those by time
-- ARGV  1 tenant, 2 the audit's mark, 3 generation, 4 version, 5 plan (MessagePack), 6 the packed counter of all
--       tickets; absent when it is right
-- plan  counters {{part = {mask or column = count}}}: whole ones, fields {{field = count}}: the wrong ones
local call, packed_of = redis.call, cmsgpack.pack
local CHUNK = 1000 -- unpack() of some 8,000 values overflows Lua's stack

local known = call('HMGET', KEYS[1], 'generation', 'version')
if known[1] ~= ARGV[3] or (known[2] or '0') ~= ARGV[4] or call('GET', KEYS[2]) ~= ARGV[2] then return false end
local plan = cmsgpack.unpack(ARGV[5])

local function check(counts)
  for _, count in pairs(counts) do
    if count < 0 then error('a count below zero') end
  end
end
local values = {}
for i, parts in ipairs(plan.counters) do
  local counter = {}
  for part, counts in pairs(parts) do
    check(counts)
    counter[part] = packed_of(counts)
  end
  values[i] = next(counter) and packed_of(counter) or false
end
for _, fields in ipairs(plan.fields) do check(fields) end

-- Everything is valid: from here on the script writes.
local function put(key, counts)
  local list = {}
  for name, count in pairs(counts) do
    if count == 0 then
      call('HDEL', key, name)
    else
      list[#list + 1] = name
      list[#list + 1] = count
    end
  end
  for first = 1, #list, CHUNK do call('HSET', key, unpack(list, first, math.min(first + CHUNK - 1, #list))) end
end

local function set(key, value)
  if value and value ~= '' then call('SET', key, value) else call('DEL', key) end
end

if ARGV[6] then set(KEYS[3], ARGV[6]) end
local key = 4
for _, value in ipairs(values) do
  set(KEYS[key], value)
  key = key + 1
end
for _, fields in ipairs(plan.fields) do
  put(KEYS[key], fields)
  key = key + 1
end
local version = call('HINCRBY', KEYS[1], 'version', 1)
call('PUBLISH', 'tc:hints', ARGV[1] .. ' ' .. version)
return version
