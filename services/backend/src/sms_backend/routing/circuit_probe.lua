-- Claims the one call that may try out an open circuit. KEYS: state. ARGV: ms until the next may. Returns 1 if it is the caller's.
local state = redis.call('GET', KEYS[1])
if not state then
    return 0
end
local opened, probe, reason = string.match(state, '^(%d+)|(%d+)|(.*)$')
local now = redis.call('TIME')
local ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
if not probe or ms < tonumber(probe) then
    return 0
end
redis.call('SET', KEYS[1], opened .. '|' .. (ms + tonumber(ARGV[1])) .. '|' .. reason)
return 1
