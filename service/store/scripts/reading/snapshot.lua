-- Reads one tenant's counts atomically. Decides only whether the caller's record version is still the current one.
--
-- KEYS  state, the tenant's hash, the counter of all tickets, other counters, then counters kept by time
-- ARGV  1 token, 2 number of counters kept by time, 3 windows (MessagePack, "" for none), 4 "1" when the counter of
--       all tickets is needed
-- windows  {{column, {first quarter, quarter beyond, ...}, {{number of a counter kept by time, part, or false}, ...}}}
local call = redis.call
local CHUNK = 1000 -- unpack() of some 8,000 values overflows Lua's stack

local tenant = call('HMGET', KEYS[2], 'token', 'version', 'as_of')
if tenant[1] ~= ARGV[1] then return false end
local everyone = ARGV[4] == '1' and call('GET', KEYS[3])
local last = #KEYS - ARGV[2]
local counters = {}
for i = 4, last do counters[i - 3] = call('GET', KEYS[i]) end

-- Fields whose sum covers the spans: quarter hours at the edges, hours and days inside. Example: quarter hours 94 to
-- 200 of column 3 are 3:q94 3:q95 3:d1 3:h48 3:h49.
local function fields_of(column, spans)
  local fields = {}
  for i = 1, #spans, 2 do
    local at, beyond = spans[i], spans[i + 1]
    while at < beyond do
      local grain, size = 'q', 1
      if at % 96 == 0 and at + 96 <= beyond then
        grain, size = 'd', 96
      elseif at % 4 == 0 and at + 4 <= beyond then
        grain, size = 'h', 4
      end
      fields[#fields + 1] = string.format('%d:%s%d', column, grain, at / size)
      at = at + size
    end
  end
  return fields
end

local function sum_of(key, fields)
  local sum = 0
  for first = 1, #fields, CHUNK do
    local part = call('HMGET', key, unpack(fields, first, math.min(first + CHUNK - 1, #fields)))
    for i = 1, #part do sum = sum + (part[i] or 0) end
  end
  return sum
end

-- A person's counts, each as column, quarter hour, part and tickets; each person is read once.
local persons = {}
local function person(number)
  local known = persons[number]
  if known then return known end
  known = {}
  local flat = call('HGETALL', KEYS[last + number])
  for i = 1, #flat, 2 do
    local column, quarter, part = string.match(flat[i], '^(%d+):(%d+):(.*)$')
    known[#known + 1] = {tonumber(column), tonumber(quarter), part, tonumber(flat[i + 1])}
  end
  persons[number] = known
  return known
end

-- Tells whether a part belongs to a scope: see `parts_of` in service/domain/counting/scopes.py.
local function belongs(part, scope)
  if scope == '' then return true end
  if scope == 'a' then return string.sub(part, 1, 1) == 'a' end
  return part == scope or (string.sub(scope, 1, 2) == 't:' and part == 'a' .. scope)
end

-- Part -> tickets of a person in a column within the spans: one pass for all requested scopes.
local function sums_by_part(counts, column, spans)
  local sums = {}
  for _, count in ipairs(counts) do
    if count[1] == column then
      for i = 1, #spans, 2 do
        if count[2] >= spans[i] and count[2] < spans[i + 1] then sums[count[3]] = (sums[count[3]] or 0) + count[4] end
      end
    end
  end
  return sums
end

local function window_sum(column, spans, scopes)
  local sum, fields, by_part = 0, nil, {}
  for _, scope in ipairs(scopes) do
    local number, wanted = scope[1], scope[2]
    if wanted then
      by_part[number] = by_part[number] or sums_by_part(person(number), column, spans)
      for part, tickets in pairs(by_part[number]) do
        if belongs(part, wanted) then sum = sum + tickets end
      end
    else
      fields = fields or fields_of(column, spans)
      sum = sum + sum_of(KEYS[last + number], fields)
    end
  end
  return sum
end

local timed = {}
if ARGV[3] ~= '' then
  for n, window in ipairs(cmsgpack.unpack(ARGV[3])) do timed[n] = window_sum(window[1], window[2], window[3]) end
end
return {call('TIME'), call('HGETALL', KEYS[1]), tenant[2] or '0', tenant[3] or '', everyone or '', counters, timed}
