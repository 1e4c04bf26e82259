-- Give segments back to the day they were charged to, once a message, however often this runs.
-- KEYS[1] the client's refund flag of the message, KEYS[2] the counter of the day. ARGV: segments, TTL of the flag in seconds.
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[2]) then
  if redis.call('EXISTS', KEYS[2]) == 1 then
    return redis.call('DECRBY', KEYS[2], ARGV[1])
  end
end
return false
