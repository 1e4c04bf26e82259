-- Tokens of one provider for many messages: a GCRA counted in segments, whose last fifth only `otp` may use.
-- KEYS: bucket, a hash: t = when the bucket is full again, q = when the last of those that wait has its turn (both in microseconds).
-- ARGV: segments a second, microseconds that may be used ahead, furthest a turn may lie ahead (microseconds), segments of each message …
-- Returns {how many of them may go now, microseconds until the first of the others has its turn}.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local rate, ahead, horizon = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 't', 'q')
local t, q = math.max(now, tonumber(kept[1]) or 0), tonumber(kept[2]) or 0
local granted, i = 0, 4
while i <= #ARGV and t <= now + ahead do
    t = t + tonumber(ARGV[i]) * 1000000 / rate
    granted, i = granted + 1, i + 1
end
local wait = 0
if i <= #ARGV then
    -- Each claim queues behind the one before, so that a backlog comes back spread out, not all at once.
    q = math.max(q, t - ahead, now)
    wait = math.min(q - now, horizon)
    local costs = 0
    for j = i, #ARGV do costs = costs + tonumber(ARGV[j]) end
    q = math.min(q + costs * 1000000 / rate, now + horizon)
end
redis.call('HSET', KEYS[1], 't', string.format('%.0f', t), 'q', string.format('%.0f', q))
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(t, q) - now) / 1000) + 1000)
return {granted, string.format('%.0f', wait)}
