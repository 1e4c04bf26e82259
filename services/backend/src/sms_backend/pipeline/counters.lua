-- Set a day's counter from what PostgreSQL has charged, while the client is closed: its record is not there yet.
-- Reservations that are still pending, and not stored, are charged too: they are given back one by one, by whoever settles them.
-- KEYS[1] the client's record, KEYS[2] the counter, KEYS[3] its pending reservations.
-- ARGV: prefix of the client's keys, day, segments charged in PostgreSQL, TTL in seconds, then the pending ones that PostgreSQL has stored.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
local prefix, day, total = ARGV[1], ARGV[2], tonumber(ARGV[3])
local stored = {}
for i = 5, #ARGV do
  stored[ARGV[i]] = true
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  local record = redis.call('GETRANGE', prefix .. 'r:' .. id, 0, 159)
  local state, segments, charged = string.match(record, '^(.)|[^|]*|[^|]*|([^|]*)|([^|]*)|')
  if state == 'p' and charged == day and not stored[id] then
    total = total + tonumber(segments)
  end
end
if total > 0 then
  redis.call('SET', KEYS[2], total, 'EX', ARGV[4])
else
  redis.call('DEL', KEYS[2])
end
return total
