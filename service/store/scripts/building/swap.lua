-- Makes a building the serving generation of its tenant. Decides first, then writes: Redis never rolls back.
--
-- KEYS  state, due, the tenant's hash, the building's hash, the building's due set, the bucket's set of orphans, the
--       tenant's backfill progress, the counters of all tickets: the serving one, the building's
-- ARGV  tenant, generation of the building, new record version, an instant that no clock has reached yet
-- The record version must be new: it makes consumers and readers reload the tenant.
local call = redis.call
local CHUNK = 1000 -- unpack() of some 8,000 values overflows Lua's stack

local function hash(key)
  local fields, flat = {}, call('HGETALL', key)
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

local building = hash(KEYS[4])
if building.generation ~= ARGV[2] then return {'gone'} end
local serving = call('HMGET', KEYS[3], 'token', 'generation', 'as_of')
if serving[2] ~= building.base then return {'gone'} end
if serving[1] ~= building.token then return {'not yet', 'record'} end

local state = hash(KEYS[1])
if (state.topic or building.topic) ~= building.topic then return {'not yet', 'topic'} end
local function number(text) return tonumber(text or '-1') end
for field, value in pairs(building) do
  local stored = string.sub(field, 1, 2) == 'p:' and math.max(number(state[field]), 0)
  if stored and number(value) > stored then return {'not yet', 'ahead'} end
end
for field, value in pairs(state) do
  local applied = string.sub(field, 1, 2) == 'p:' and math.max(number(building[field]), 0)
  if applied and applied < number(value) then return {'not yet', 'positions'} end
end
if number(building.timers) > number(state.timers) then return {'not yet', 'ahead'} end
if #call('ZRANGEBYSCORE', KEYS[5], '-inf', state.timers or '-inf', 'LIMIT', 0, 1) > 0 then return {'not yet', 'due'} end
if building.merged_from and number(building.merged_from) <= number(ARGV[4]) then return {'not yet', 'lapsed'} end

local before, after = call('GET', KEYS[8]) or '', call('GET', KEYS[9]) or ''
local due = call('ZRANGE', KEYS[5], 0, -1, 'WITHSCORES')
for i = 1, #due, 2 do due[i], due[i + 1] = due[i + 1], due[i] end
for first = 1, #due, CHUNK do call('ZADD', KEYS[2], unpack(due, first, math.min(first + CHUNK - 1, #due))) end
call('SADD', KEYS[6], ARGV[1] .. ' ' .. building.base)
call('HSET', KEYS[3], 'generation', building.generation, 'token', ARGV[3])
if building.as_of and number(building.as_of) > number(serving[3]) then
  call('HSET', KEYS[3], 'as_of', building.as_of)
end
local version = call('HINCRBY', KEYS[3], 'version', 1)
call('DEL', KEYS[4], KEYS[5], KEYS[7])
call('PUBLISH', 'tc:hints', ARGV[1] .. ' ' .. version)
return {'swapped', version, before, after}
