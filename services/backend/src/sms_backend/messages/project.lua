-- Show statuses: compare-and-set on the version; and settle the reservations of what is stored.
-- KEYS[1] any key of the client, for its slot.
-- ARGV: the client's prefix, TTL of a final status in seconds, how many batches, per batch: id, seconds for which it is to be known,
--       then per message: tracking id, version, final (1/0), JSON.
local prefix, final_ttl, batches = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function settle(id)
  local reservation = prefix .. 'r:' .. id
  local state, digest = string.match(redis.call('GETRANGE', reservation, 0, 159), '^(.)|[^|]*|[^|]*|[^|]*|[^|]*|([^|]*)|')
  if state == 'p' then
    redis.call('ZREM', prefix .. 'p', id)
    redis.call('SETRANGE', reservation, 0, 'd')
  end
  return digest
end

-- A batch's stays until its time is over: it says whose the batch is. Where Redis has lost it, as much as that is written again.
for i = 4, 3 + 2 * batches, 2 do
  local id, ttl = ARGV[i], tonumber(ARGV[i + 1])
  local reservation = prefix .. 'r:' .. id
  if redis.call('EXISTS', reservation) == 0 then
    redis.call('SET', reservation, 'd||0|0||||0|{"batch_id":"' .. id .. '"}', 'EX', ttl)
  else
    settle(id)
    if redis.call('TTL', reservation) < ttl then
      redis.call('EXPIRE', reservation, ttl)
    end
  end
end
local shown = 0
for i = 4 + 2 * batches, #ARGV, 4 do
  local id, version, final, json = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local key = prefix .. 'm:' .. id
  local known = tonumber(string.match(redis.call('GETRANGE', key, 0, 15), '^(%d+)|'))
  if not known or known < tonumber(version) then
    local value = version .. '|' .. final .. '|' .. json
    if final == '1' then
      redis.call('SET', key, value, 'EX', final_ttl)
    else
      redis.call('SET', key, value)
    end
    shown = shown + 1
  end
  -- Its status answers now: the reservation is not needed without an idempotency key that may be repeated.
  if settle(id) == '' then
    redis.call('DEL', prefix .. 'r:' .. id)
  end
end
return shown
