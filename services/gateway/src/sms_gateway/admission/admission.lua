-- Admits the submissions of one client: idempotency, then rate, then quota; nothing is written for one that is refused.
--
-- KEYS  client, bucket, pending, quota counter, and for each item its reservation and its idempotency pointer (the reservation again: no key)
-- ARGV  prefix of the client's reservations, emission interval (us; 0: no rate limit), burst, daily limit (-1: none), quota TTL,
--       reservation TTL, idempotency TTL (s), and for each item: tokens, segments to charge, fingerprint, purpose, reservation;
--       then for each message of an item that is a batch: number of the item, tracking id, record
--
-- Purpose: `n` admit; `d` only say whether it would be admitted; `r` all checks hold but the last (no route), so admit nothing;
--          `s` it was refused already: only what was admitted under its key before can change that.
-- Answer: `x` (the client is not projected: Redis is not ready), or for each item:
--   n|used            admitted                      o|used            would be admitted (purposes d, r), or stays refused (s)
--   r|used|id|record  replay                        t|used|id|record  taken over: publish it again under this id
--   i|used|ms         the first is still running    k|used            the key was used for another request
--   l|used|ms         rate limited                  q|used            quota exceeded

if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'x'}
end

local prefix = ARGV[1]
local emission, burst, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now_ms = math.floor(now / 1000)
local used = tonumber(redis.call('GET', KEYS[4]) or 0)
local arrival = now -- theoretical arrival time of the next message (GCRA)
if emission > 0 then
  arrival = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0))
end
local charged, spent, pending, results = 0, false, {}, {}

local function known(pointer, item)
  local id = redis.call('GET', pointer)
  if not id then
    return nil
  end
  local record = redis.call('GET', prefix .. id)
  if not record then
    return nil
  end
  local state, deadline, segments, day, digest, fingerprint, answer =
    string.match(record, '^(%a)|[^|]*|(%d+)|(%d+)|([^|]*)|([^|]*)|([^|]*)|%d|(.*)$')
  if fingerprint ~= ARGV[item + 2] then
    return 'k|' .. used
  end
  if state == 'd' then
    return 'r|' .. used .. '|' .. id .. '|' .. record
  end
  if tonumber(deadline) > now_ms then
    return 'i|' .. used .. '|' .. (tonumber(deadline) - now_ms)
  end
  local owner, until_ms = string.match(ARGV[item + 4], '^%a|([^|]*)|(%d+)|')
  record = 'p|' .. table.concat({owner, until_ms, segments, day, digest, fingerprint, '1', answer}, '|')
  redis.call('SET', prefix .. id, record, 'KEEPTTL')
  return 't|' .. used .. '|' .. id .. '|' .. record
end

local function judge(reservation, pointer, item)
  local purpose = ARGV[item + 3]
  if pointer ~= reservation then
    local result = known(pointer, item)
    if result and not (purpose == 's' and string.sub(result, 1, 1) == 'k') then
      return result
    end
  end
  if purpose == 's' then
    return 'o|' .. used
  end
  local tokens, segments = tonumber(ARGV[item]), tonumber(ARGV[item + 1])
  if emission > 0 then
    -- Enough when the bucket holds min(tokens, burst); what is taken beyond that is a debt.
    local wait = arrival - now + math.min(tokens, burst) * emission - burst * emission
    if wait > 1 then
      return 'l|' .. used .. '|' .. math.ceil(wait / 1000)
    end
  end
  if limit >= 0 and segments > 0 and used + segments > limit then
    return 'q|' .. used
  end
  if purpose ~= 'n' then
    return 'o|' .. used
  end
  if emission > 0 then
    arrival = arrival + tokens * emission
    spent = true
  end
  used = used + segments
  charged = charged + segments
  redis.call('SET', reservation, ARGV[item + 4], 'EX', ARGV[6])
  if pointer ~= reservation then
    redis.call('SET', pointer, string.sub(reservation, #prefix + 1), 'EX', ARGV[7])
  end
  pending[#pending + 1] = now_ms
  pending[#pending + 1] = string.sub(reservation, #prefix + 1)
  return 'n|' .. used
end

local item = 8
for key = 5, #KEYS, 2 do
  results[#results + 1] = judge(KEYS[key], KEYS[key + 1], item)
  item = item + 5
end
for message = item, #ARGV, 3 do
  if string.sub(results[tonumber(ARGV[message])], 1, 2) == 'n|' then
    redis.call('SET', prefix .. ARGV[message + 1], ARGV[message + 2], 'EX', ARGV[6])
  end
end
if #pending > 0 then
  redis.call('ZADD', KEYS[3], unpack(pending))
end
if spent then
  redis.call('SET', KEYS[2], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000) + 1000)
end
if charged > 0 then
  redis.call('INCRBY', KEYS[4], charged)
  redis.call('EXPIRE', KEYS[4], ARGV[5])
end
return results
