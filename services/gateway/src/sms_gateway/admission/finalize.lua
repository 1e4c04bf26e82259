-- What was confirmed becomes done, so that a repeat of its key is a replay.
--
-- KEYS  pending, then the reservations
-- ARGV  prefix of the client's reservations, then the owner of each
-- Answer: how many were flipped. One that another owner has taken over is left to that owner; one that is done stays done.

local done = {}
for i = 2, #KEYS do
  local state, owner = string.match(redis.call('GETRANGE', KEYS[i], 0, 63), '^(%a)|([^|]*)|')
  if state == 'p' and owner == ARGV[i] then
    redis.call('SETRANGE', KEYS[i], 0, 'd')
    done[#done + 1] = string.sub(KEYS[i], #ARGV[1] + 1)
  end
end
if #done > 0 then
  redis.call('ZREM', KEYS[1], unpack(done))
end
return #done
