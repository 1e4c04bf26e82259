-- Counts a failed authentication from one address.
--
-- KEYS  failures of the address, newest first: list of moments in ms
-- ARGV  how many are too many, and the window (ms)
-- Answer: 0 (counted), or the milliseconds after which one would be counted again.

local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local oldest = tonumber(redis.call('LINDEX', KEYS[1], limit - 1))
if oldest and oldest + window > now then
  return oldest + window - now
end
redis.call('LPUSH', KEYS[1], now)
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], window)
return 0
