-- Reads one bucket atomically: state, earliest due time, record versions of some tenants, some of their tickets.
--
-- KEYS  state, due, then per tenant: its hash, its tickets
-- ARGV  1 number of tickets per tenant (MessagePack), then the ticket ids
local CHUNK = 1000
local counts = cmsgpack.unpack(ARGV[1])
local record_versions, ticket_states = {}, {}
local argument = 2
for i, count in ipairs(counts) do
  record_versions[i] = redis.call('HGET', KEYS[2 * i + 1], 'token') or ''
  local last = argument + count - 1
  for first = argument, last, CHUNK do
    local part = redis.call('HMGET', KEYS[2 * i + 2], unpack(ARGV, first, math.min(first + CHUNK - 1, last)))
    for n = 1, #part do ticket_states[#ticket_states + 1] = part[n] or '' end
  end
  argument = last + 1
end
local first_due = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] or ''
return {redis.call('HGETALL', KEYS[1]), first_due, record_versions, ticket_states}
