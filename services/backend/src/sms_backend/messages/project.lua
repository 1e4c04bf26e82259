-- Show statuses: compare-and-set on the version.
-- KEYS[1] any key of the client, for its slot. ARGV: the client's prefix, TTL of a final status in seconds, then per message: tracking id, version, final (1/0), JSON.
local prefix, final_ttl = ARGV[1], ARGV[2]
local shown = 0
for i = 3, #ARGV, 4 do
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
  -- The message is stored: its reservation is settled, and not needed without an idempotency key that may be repeated.
  local reservation = prefix .. 'r:' .. id
  local state, digest = string.match(redis.call('GETRANGE', reservation, 0, 159), '^(.)|[^|]*|[^|]*|[^|]*|[^|]*|([^|]*)|')
  if state then
    if state == 'p' then
      redis.call('ZREM', prefix .. 'p', id)
    end
    if digest == '' then
      redis.call('DEL', reservation)
    elseif state == 'p' then
      redis.call('SETRANGE', reservation, 0, 'd')
    end
  end
end
return shown
