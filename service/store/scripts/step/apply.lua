-- Applies one step to one bucket atomically. Validates everything, then writes everything: Redis never rolls back.
--
-- KEYS  state, due, then per tenant: its hash, its tickets, the counter of all tickets, its other counters, its counters
--       kept by time; last the bucket's audit, and its noted tickets
-- ARGV  1 plan (MessagePack); then four for each write, in the order of the plan's tenants:
--       ticket id, revision that was read, new revision and ticket state in one ("" removes the ticket), next change at
--       ("" as it is stored, "-" never)
-- plan  topic, epoch, now (text), first_due (text or ""): the earliest next change of the writes,
--       partial_due_batch: more tickets are due by now than one step writes, so the timers stay where they are,
--       muted: publish no hint, sent_at: the time of the call by this server's clock in ms, or -1,
--       progress {{partition, known or -1, position, lag_ms or -1}},
--       tenants {{name, token, generation, as_of (text or ""), writes, everyone {column = delta},
--                 counters {{part = {number of a mask, delta, ...}}}, timed {{field = delta}}}}
--       masks {hexadecimal text}: each distinct mask once, since a ticket has the same mask in every counter
-- Every other counter has per part the number of tickets with each mask, so that an event touches two numbers. When a
-- part has many different masks, the script adds them up by column into its base, a part with "+" before the name.
-- Example: part 'a' {5 = 2, 1 = 3} has 2 tickets with mask 0b101 and 3 with 0b1. Its base '+a' would be {[0] = 5,
-- [2] = 2}, and 'a' would then be {0 = 5}: mask 0 has the number of tickets in the base.
-- The counter of all tickets is eight bytes a column: most events change most of its columns.
-- Numbers here stay below 2^53: offsets, instants in microseconds, counts. Sequences and masks stay packed.
local call, packed_of, unpacked = redis.call, cmsgpack.pack, cmsgpack.unpack -- a global costs a look-up each time
local CHUNK = 1000 -- unpack() of some 8,000 values overflows Lua's stack
local PER_WRITE = 4 -- arguments
local WIDTH = 8 -- bytes of a column
local NOTED_MS = 600000 -- notes for an audit that died expire soon; a running audit reads them at once

local function fields(key, names)
  local values = {}
  for first = 1, #names, CHUNK do
    local last = math.min(first + CHUNK - 1, #names)
    local part = call('HMGET', key, unpack(names, first, last))
    for i = 1, last - first + 1 do values[first + i - 1] = part[i] end
  end
  return values
end

-- Sets fields of a hash from a list: field, value, field, value, … CHUNK is even.
local function put(key, list)
  for first = 1, #list, CHUNK do call('HSET', key, unpack(list, first, math.min(first + CHUNK - 1, #list))) end
end

-- Bits of each hexadecimal digit, by its byte. Built on first use: most calls add up no masks.
local function bits_by_digit()
  local bits_of = {}
  for digit = 0, 15 do
    local bits = {}
    for bit = 0, 3 do
      if math.floor(digit / 2 ^ bit) % 2 == 1 then bits[#bits + 1] = bit end
    end
    bits_of[string.byte(string.format('%x', digit))] = bits
  end
  return bits_of
end

local bits_of
local known_columns = {}
-- Returns the columns in a mask.
local function columns_in(mask)
  local columns = known_columns[mask]
  if columns then return columns end
  bits_of = bits_of or bits_by_digit()
  columns = {}
  local last = #mask
  for place = 1, last do
    local lowest = 4 * (last - place)
    for _, bit in ipairs(bits_of[string.byte(mask, place)]) do columns[#columns + 1] = lowest + bit end
  end
  known_columns[mask] = columns
  return columns
end

local negative = 0

-- Returns the packed counter of all tickets with the changes {column = change} added.
local function everyone_of(value, changes)
  local last = value and #value / WIDTH or 0
  if last % 1 ~= 0 then error('a counter of all tickets with part of a column') end
  local counts = {}
  for first = 1, last, CHUNK do
    local size = math.min(CHUNK, last - first + 1)
    local part = {struct.unpack('<' .. string.rep('i8', size), value, WIDTH * (first - 1) + 1)}
    for i = 1, size do counts[first + i - 1] = part[i] end
  end
  for column, change in pairs(changes) do
    for place = last + 1, column do counts[place] = 0 end
    last = math.max(last, column + 1)
    local count = (counts[column + 1] or 0) + change
    if count < 0 then negative = negative + 1 end
    counts[column + 1] = count
  end
  while last > 0 and counts[last] == 0 do last = last - 1 end
  local packed = {}
  for first = 1, last, CHUNK do
    local beyond = math.min(first + CHUNK, last + 1)
    packed[#packed + 1] = struct.pack('<' .. string.rep('i8', beyond - first), unpack(counts, first, beyond - 1))
  end
  return table.concat(packed)
end

-- Most different masks of a part before they are added up: adding up a mask costs as much as it has columns.
local function most_masks(mask) return math.max(4, math.floor(#mask / 4)) end

-- Adds changes of masks, as in the plan, to a part of a counter with packed values. Mask 0, which no ticket has, counts
-- the tickets in the base, so that the sum over all masks is the number of tickets, and 0 means an empty part.
local function add(counter, part, changes, masks)
  local tickets = counter[part] and unpacked(counter[part]) or {}
  local base = counter['+' .. part]
  for place = 1, #changes, 2 do
    local mask = masks[changes[place]]
    local count = (tickets[mask] or 0) + changes[place + 1]
    if count < 0 and not base then negative = negative + 1 end
    tickets[mask] = count ~= 0 and count or nil
  end
  local size, widest, total = 0, '', 0
  for mask, count in pairs(tickets) do
    size, total = size + 1, total + count
    if #mask > #widest then widest = mask end
  end
  if size > most_masks(widest) or (base and total <= 0) then
    local cells = base and unpacked(base) or {}
    for mask, count in pairs(tickets) do
      for _, column in ipairs(columns_in(mask)) do cells[column] = (cells[column] or 0) + count end
    end
    for column, count in pairs(cells) do
      if count < 0 then negative = negative + 1 end
      if count == 0 then cells[column] = nil end
    end
    counter['+' .. part] = next(cells) and packed_of(cells) or nil
    tickets = {['0'] = cells[0]}
  end
  counter[part] = next(tickets) and packed_of(tickets) or nil
end

local state, due = KEYS[1], KEYS[2]
local plan = unpacked(ARGV[1])

local topic = call('HGET', state, 'topic')
if topic and topic ~= plan.topic then return {'topic', topic} end

local behind = {'behind'}
local stored_positions, stored_fresh = {}, {}
for i, progress in ipairs(plan.progress) do
  local stored = call('HMGET', state, 'p:' .. progress[1], 'f:' .. progress[1])
  stored_positions[i], stored_fresh[i] = tonumber(stored[1] or -1), tonumber(stored[2] or -1)
  if stored_positions[i] < progress[2] then
    behind[#behind + 1] = progress[1]
    behind[#behind + 1] = stored_positions[i]
  end
end
if #behind > 1 then return behind end

local stale = {'stale'}
local key = 3
local places = {}
for i, tenant in ipairs(plan.tenants) do
  local current = call('HMGET', KEYS[key], 'token', 'generation')
  if current[1] ~= tenant.token or current[2] ~= tenant.generation then stale[#stale + 1] = tenant.name end
  places[i] = key
  key = key + 3 + #tenant.counters + #tenant.timed
end
if #stale > 1 then return stale end

local conflict = {'conflict'}
local argument = 2
for i, tenant in ipairs(plan.tenants) do
  local ids = {}
  for n = 1, tenant.writes do ids[n] = ARGV[argument + PER_WRITE * (n - 1)] end
  local stored = fields(KEYS[places[i] + 1], ids)
  for n = 1, tenant.writes do
    local revision = stored[n] and string.sub(stored[n], 1, 8) or ''
    if revision ~= ARGV[argument + PER_WRITE * (n - 1) + 1] then
      conflict[#conflict + 1] = tenant.name
      conflict[#conflict + 1] = ids[n]
    end
  end
  argument = argument + PER_WRITE * tenant.writes
end
if #conflict > 1 then return conflict end

-- The writes were computed for `now`; they must also be right at the timers that this step leaves.
local writes = (argument - 2) / PER_WRITE
local timers = tonumber(call('HGET', state, 'timers') or '-1')
local now = tonumber(plan.now)
local first_due = tonumber(plan.first_due) or math.huge
if writes > 0 and now < timers and first_due <= timers then return {'due_conflict'} end
local waiting = call('ZRANGEBYSCORE', due, '-inf', plan.now, 'LIMIT', 0, writes + 1)
local drained = #waiting == 0
if not drained and writes > 0 then
  local written = {}
  argument = 2
  for _, tenant in ipairs(plan.tenants) do
    for _ = 1, tenant.writes do
      written[tenant.name .. ' ' .. tenant.generation .. ' ' .. ARGV[argument]] = true
      argument = argument + PER_WRITE
    end
  end
  drained = true
  for _, member in ipairs(waiting) do drained = drained and written[member] end
  if not drained and not plan.partial_due_batch then return {'due_conflict'} end
end

-- Returns the changed fields of a hash: {field = new value}.
local function sums_of(hash, changes)
  local names, new = {}, {}
  for name in pairs(changes) do names[#names + 1] = name end
  local counts = fields(hash, names)
  for n, name in ipairs(names) do
    local count = tonumber(counts[n] or 0) + changes[name]
    if count < 0 then negative = negative + 1 end
    new[name] = count
  end
  return new
end

-- Computes every new counter before the first write, so that a value of a wrong type fails here.
local sums = {}
for i, tenant in ipairs(plan.tenants) do
  local packed, timed = {}, {}
  for n, deltas in ipairs(tenant.counters) do
    local value = call('GET', KEYS[places[i] + 2 + n])
    local counter = value and unpacked(value) or {}
    for part, changes in pairs(deltas) do add(counter, part, changes, plan.masks) end
    packed[n] = next(counter) and packed_of(counter) or false
  end
  local first_timed = places[i] + 2 + #tenant.counters
  for n, changes in ipairs(tenant.timed) do timed[n] = sums_of(KEYS[first_timed + n], changes) end
  local everyone = next(tenant.everyone) and everyone_of(call('GET', KEYS[places[i] + 2]), tenant.everyone)
  sums[i] = {everyone = everyone, packed = packed, timed = timed}
end

-- Writes the result of `sums_of`.
local function put_sums(hash, new)
  local list = {}
  for name, count in pairs(new) do
    if count == 0 then
      call('HDEL', hash, name)
    else
      list[#list + 1] = name
      list[#list + 1] = count
    end
  end
  put(hash, list)
end

-- Notes written tickets for a running audit, which reads them again.
local audit, noted = KEYS[#KEYS - 1], KEYS[#KEYS]
local audited = writes > 0 and call('GET', audit)
local function note(tenant, first)
  local whose = tenant.name .. ' ' .. tenant.generation .. ' '
  if string.sub(audited, 1, #whose) ~= whose then return end
  for n = 1, tenant.writes do call('SADD', noted, ARGV[first + PER_WRITE * (n - 1)]) end
  call('PEXPIRE', noted, NOTED_MS)
end

-- Everything is valid: from here on the script writes.
local result = {'applied', negative}
argument = 2
for i, tenant in ipairs(plan.tenants) do
  local hash, tickets, all = KEYS[places[i]], KEYS[places[i] + 1], KEYS[places[i] + 2]
  if audited then note(tenant, argument) end
  local ticket_states = {}
  for n = 1, tenant.writes do
    local id, ticket_state, due_at = ARGV[argument], ARGV[argument + 2], ARGV[argument + 3]
    if ticket_state == '' then
      call('HDEL', tickets, id)
    else
      ticket_states[#ticket_states + 1] = id
      ticket_states[#ticket_states + 1] = ticket_state
    end
    if due_at == '-' then
      call('ZREM', due, tenant.name .. ' ' .. tenant.generation .. ' ' .. id)
    elseif due_at ~= '' then
      call('ZADD', due, due_at, tenant.name .. ' ' .. tenant.generation .. ' ' .. id)
    end
    argument = argument + PER_WRITE
  end
  put(tickets, ticket_states)
  if sums[i].everyone == '' then call('DEL', all) elseif sums[i].everyone then call('SET', all, sums[i].everyone) end
  for n, value in ipairs(sums[i].packed) do
    local counter = KEYS[places[i] + 2 + n]
    if value then call('SET', counter, value) else call('DEL', counter) end
  end
  local first_timed = places[i] + 2 + #tenant.counters
  for n, new in ipairs(sums[i].timed) do put_sums(KEYS[first_timed + n], new) end
  if tenant.as_of ~= '' then
    local as_of = call('HGET', hash, 'as_of')
    if not as_of or tonumber(as_of) < tonumber(tenant.as_of) then call('HSET', hash, 'as_of', tenant.as_of) end
  end
  if next(tenant.everyone) or #tenant.counters > 0 or #tenant.timed > 0 then
    local version = call('HINCRBY', hash, 'version', 1)
    result[#result + 1] = tenant.name
    result[#result + 1] = version
    if not plan.muted then call('PUBLISH', 'tc:hints', tenant.name .. ' ' .. version) end
  end
end

if not topic then call('HSET', state, 'topic', plan.topic) end
call('HSETNX', state, 'epoch', plan.epoch)
local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
-- The call may have waited for a frozen server: the lags were measured when it was made.
if plan.sent_at >= 0 then now_ms = math.min(now_ms, plan.sent_at) end
for i, progress in ipairs(plan.progress) do
  if stored_positions[i] < progress[3] then call('HSET', state, 'p:' .. progress[1], progress[3]) end
  local fresh = now_ms - progress[4]
  if progress[4] >= 0 and stored_fresh[i] < fresh then call('HSET', state, 'f:' .. progress[1], fresh) end
end
if drained and timers < now then call('HSET', state, 'timers', plan.now) end
return result
