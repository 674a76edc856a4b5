-- One atomic read of an audit: some tickets of a tenant, the tickets that steps noted as written, and counters once no
-- noted ticket is left.
--
-- KEYS  state, due, the tenant's hash, its tickets, the bucket's audit, its noted tickets, then counters, then
--       counters kept by time
-- ARGV  1 "<tenant> <generation> ", 2 holder, 3 generation, 4 time to live of the audit in ms, 5 "begin" or "",
--       6 cursor ("" for none), 7 most tickets at once, 8 number of counters, then ids of tickets
local call = redis.call
local CHUNK = 1000 -- unpack() of some 8,000 values overflows Lua's stack
local state, due, tenant, tickets, audit, noted = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]

local known = call('HMGET', tenant, 'token', 'generation', 'version')
if known[2] ~= ARGV[3] then return false end
local mark, current = ARGV[1] .. ARGV[2], call('GET', audit)
if ARGV[5] == 'begin' then
  if current then return false end
  call('DEL', noted)
elseif current ~= mark then
  return false
end
call('SET', audit, mark, 'PX', ARGV[4])

local found = {}
local function take(ids, ticket_states)
  for first = 1, #ids, CHUNK do
    local last = math.min(first + CHUNK - 1, #ids)
    local members = {}
    for i = first, last do members[#members + 1] = ARGV[1] .. ids[i] end
    local part = ticket_states or call('HMGET', tickets, unpack(ids, first, last))
    local dues = call('ZMSCORE', due, unpack(members))
    for i = first, last do
      local ticket_state = ticket_states and ticket_states[i] or part[i - first + 1]
      found[#found + 1] = {ids[i], ticket_state or '', dues[i - first + 1] or ''}
    end
  end
end

take(call('SPOP', noted, ARGV[7]))
if #ARGV > 8 then
  local named = {}
  for i = 9, #ARGV do named[#named + 1] = ARGV[i] end
  take(named)
end
local cursor = '0'
if ARGV[6] ~= '' then
  local page = call('HSCAN', tickets, ARGV[6], 'COUNT', ARGV[7])
  cursor = page[1]
  local ids, ticket_states = {}, {}
  for i = 1, #page[2], 2 do
    ids[#ids + 1] = page[2][i]
    ticket_states[#ticket_states + 1] = page[2][i + 1]
  end
  take(ids, ticket_states)
end

local left = call('SCARD', noted)
local counters, timed = {}, {}
if left == 0 then
  local last = 6 + ARGV[8]
  for i = 7, last do counters[i - 6] = call('GET', KEYS[i]) or '' end
  for i = last + 1, #KEYS do timed[i - last] = call('HGETALL', KEYS[i]) end
end
local timers = call('HGET', state, 'timers') or ''
local first_due = call('ZRANGE', due, 0, 0, 'WITHSCORES')[2] or ''
return {known[1], known[3] or '0', timers, first_due, cursor, left, found, counters, timed}
