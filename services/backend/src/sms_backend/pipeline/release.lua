-- Settle a reservation that stayed pending: done if the message is stored, else gone, its charge given back.
-- KEYS[1] the reservation. ARGV: the client's prefix, tracking id, 1 if it is stored, a moment in ms: a deadline after it means that it was taken over.
local prefix, id = ARGV[1], ARGV[2]
local state, deadline, segments, day, digest =
  string.match(redis.call('GETRANGE', KEYS[1], 0, 159), '^(.)|[^|]*|([^|]*)|([^|]*)|([^|]*)|([^|]*)|')
if state ~= 'p' then
  redis.call('ZREM', prefix .. 'p', id)
  return 0
end
if ARGV[3] == '1' then
  redis.call('SETRANGE', KEYS[1], 0, 'd')
  redis.call('ZREM', prefix .. 'p', id)
  return 0
end
if tonumber(deadline) > tonumber(ARGV[4]) then
  return 0
end
-- The records of a batch's messages go with its reservation.
local answer = string.match(redis.call('GET', KEYS[1]), '^.|[^|]*|[^|]*|[^|]*|[^|]*|[^|]*|[^|]*|%d|({"batch_id":".*)$')
if answer then
  for _, message in ipairs(cjson.decode(answer).messages) do
    if message.tracking_id then
      redis.call('DEL', prefix .. 'r:' .. message.tracking_id)
    end
  end
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', prefix .. 'p', id)
if digest ~= '' and redis.call('GET', prefix .. 'i:' .. digest) == id then
  redis.call('DEL', prefix .. 'i:' .. digest)
end
if tonumber(segments) > 0 and redis.call('EXISTS', prefix .. 'q:' .. day) == 1 then
  redis.call('DECRBY', prefix .. 'q:' .. day, segments)
end
return 1
