-- Gives up a reservation, by its owner only.
--
-- KEYS  reservation, idempotency pointer (the reservation again: no key), pending, quota counter of the day charged
-- ARGV  owner, id, `0` certainly not queued, or `1` published but never confirmed
-- Answer: `released` (no trace is left, the charge is back), `left` (pending, and free to be taken over at once), `gone`.
--
-- The records of a batch's messages go with its reservation.
-- What was published, by this owner or by one before it, may be queued: it is never released here, Server B finds out.

local record = redis.call('GET', KEYS[1])
if not record then
  return 'gone'
end
local state, owner, segments, rest = string.match(record, '^(%a)|([^|]*)|%d+|(%d+)(|.*)$')
if state ~= 'p' or owner ~= ARGV[1] then
  return 'gone'
end
local taken_over = string.match(rest, '^|[^|]*|[^|]*|[^|]*|(%d)|')
if ARGV[3] == '1' or taken_over == '1' then
  redis.call('SET', KEYS[1], 'p|' .. owner .. '|0|' .. segments .. rest, 'KEEPTTL')
  return 'left'
end
local answer = string.match(rest, '^|[^|]*|[^|]*|[^|]*|%d|(.*)$')
if string.sub(answer, 1, 13) == '{"batch_id":"' then
  local prefix = string.sub(KEYS[1], 1, -1 - #ARGV[2])
  for _, message in ipairs(cjson.decode(answer).messages) do
    if message.tracking_id then
      redis.call('DEL', prefix .. message.tracking_id)
    end
  end
end
redis.call('DEL', KEYS[1])
if KEYS[2] ~= KEYS[1] and redis.call('GET', KEYS[2]) == ARGV[2] then
  redis.call('DEL', KEYS[2])
end
redis.call('ZREM', KEYS[3], ARGV[2])
local back = math.min(tonumber(segments), tonumber(redis.call('GET', KEYS[4]) or 0))
if back > 0 then
  redis.call('DECRBY', KEYS[4], back)
end
return 'released'
