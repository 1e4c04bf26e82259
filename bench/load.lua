-- The load: one body over and over, each request with an Idempotency-Key of its own.
--
-- With BENCH_LIMIT: until that many have been accepted, whose tracking ids go to the file BENCH_IDS, a line each; then the thread stops.
-- What is refused is made up for by another one.

local path, body, prefix = os.getenv("BENCH_PATH"), os.getenv("BENCH_BODY"), os.getenv("BENCH_PREFIX")
local limit = tonumber(os.getenv("BENCH_LIMIT") or "0")
local threads = {}
-- wrk asks for one request beforehand, only to look at it.
sent, accepted, refused, refusal = -1, 0, 0, 0

function setup(thread)
  threads[#threads + 1] = thread
end

local head, tail, idle
function init()
  head = "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body
    .. "\r\nAPI-Key: " .. os.getenv("BENCH_KEY") .. "\r\nIdempotency-Key: " .. prefix .. "-"
  tail = "\r\n\r\n" .. body
  idle = "GET /healthz HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"
end

function request()
  if limit > 0 and sent - refused == limit then
    return idle -- the others' answers are still on their way
  end
  sent = sent + 1
  return head .. sent .. tail
end

-- wrk hands over answers only where this is defined, because that costs time.
if limit > 0 then
  local ids = nil
  function response(status, _, content)
    if status == 200 then
      return -- to an idle request
    end
    ids = ids or io.open(os.getenv("BENCH_IDS"), "w")
    if status == 202 then
      accepted = accepted + 1
      ids:write(string.match(content, '"tracking_id":"([%x%-]+)"'), "\n")
    else
      refused = refused + 1
      refusal = status
    end
    if accepted == limit then
      ids:close()
      wrk.thread:stop()
    end
  end
end

function done(summary, latency)
  local refusals, status = 0, 0
  for _, thread in ipairs(threads) do
    refusals = refusals + thread:get("refused")
    status = math.max(status, thread:get("refusal"))
  end
  local errors = summary.errors
  print(string.format(
    'BENCH {"requests":%d,"microseconds":%d,"p50":%f,"p99":%f,"refusals":%d,"refusal":%d,'
      .. '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), refusals, status,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
