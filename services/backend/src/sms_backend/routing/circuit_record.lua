-- What calls to providers came to; opens a circuit where that is too bad, closes it after a probe that went well.
-- KEYS: state and counts of each provider. ARGV: ms until a probe, then for each provider: calls, errors, reason ('' or why it has to open
-- at once), probe ('', 'well' or 'ill'). Returns for each 'opened', 'closed' or ''.
local now = redis.call('TIME')
local second, ms = tonumber(now[1]), tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)

local function worst(counts_key, counts)
    local errors60, errors30, calls30 = 0, 0, 0
    for i = 1, #counts, 2 do
        local age, kind, count = second - tonumber(string.sub(counts[i], 2)), string.sub(counts[i], 1, 1), tonumber(counts[i + 1])
        if age >= 60 then
            redis.call('HDEL', counts_key, counts[i])
        elseif kind == 'e' then
            errors60 = errors60 + count
            if age < 30 then errors30 = errors30 + count end
        elseif age < 30 then
            calls30 = calls30 + count
        end
    end
    if errors60 >= 50 then return 'errors' end
    if calls30 >= 20 and errors30 * 2 >= calls30 then return 'error_rate' end
    return ''
end

local function record(state, counts, calls, errors, reason, probe)
    if redis.call('EXISTS', state) == 1 then
        -- Answers to calls that began before it opened say nothing new: only a probe does.
        if probe == 'well' then
            redis.call('DEL', state, counts)
            return 'closed'
        end
        return ''
    end
    redis.call('HINCRBY', counts, 'c' .. second, calls)
    if errors > 0 then redis.call('HINCRBY', counts, 'e' .. second, errors) end
    redis.call('EXPIRE', counts, 61)
    if errors == 0 and redis.call('HLEN', counts) < 200 then return '' end
    local found = worst(counts, redis.call('HGETALL', counts))
    if reason == '' then reason = found end
    if reason == '' or errors == 0 then return '' end
    redis.call('SET', state, ms .. '|' .. (ms + tonumber(ARGV[1])) .. '|' .. reason)
    redis.call('DEL', counts)
    return 'opened'
end

local changes = {}
for i = 1, #KEYS / 2 do
    local a = 4 * i - 2
    changes[i] = record(KEYS[2 * i - 1], KEYS[2 * i], tonumber(ARGV[a]), tonumber(ARGV[a + 1]), ARGV[a + 2], ARGV[a + 3])
end
return changes
