/**
 * Breakers, as scripts that run in the engine: each is one atomic step over all breakers, by the engine's own clock in whole
 * ms. They keep the same states as `router/fleet/memoryBreakers`. Only deployments in trouble are in them, so that one question
 * tells of all.
 *
 * KEYS: a hash with the state (`s:KEY`) and the reason (`r:KEY`) of each, and the highest version (`v`); keys by the version of
 * their last change; permits by the end of their lease; calls that have had their say, by when that is forgotten. A call is
 * written as the length of its breaker's key, a colon, the key and the attempt.
 */

const prelude = `
local S, V, F, D = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000.0 + math.floor(time[2] / 1000)
local kept = 2592000000
local remembered = 600000
local names = {'version', 'epoch', 'circuit', 'ends', 'trips', 'successes', 'permits', 'recovered', 'cleared',
  'limitNamed', 'limitUntil', 'outageNamed', 'outageUntil', 'isolated', 'changedAt'}
local function whole(n) return string.format('%.0f', n) end
local function callOf(key, attempt) return string.len(key) .. ':' .. key .. attempt end
local function keyOf(call)
  local length = string.match(call, '^(%d+):')
  local from = string.len(length) + 2
  return string.sub(call, from, from + tonumber(length) - 1)
end
local function load(key)
  local b = {key = key, reason = redis.call('HGET', S, 'r:' .. key) or ''}
  for i = 1, #names do b[names[i]] = 0 end
  b.permits = 1
  local text = redis.call('HGET', S, 's:' .. key)
  if text then
    local i = 0
    for n in string.gmatch(text, '%S+') do i = i + 1 b[names[i]] = tonumber(n) end
  end
  return b
end
local function save(b)
  local text = {}
  for i = 1, #names do text[i] = whole(b[names[i]]) end
  redis.call('HSET', S, 's:' .. b.key, table.concat(text, ' '))
  redis.call('HSET', S, 'r:' .. b.key, b.reason)
  redis.call('ZADD', V, whole(b.version), b.key)
end
local function changed(b)
  local last = tonumber(redis.call('HGET', S, 'v') or '0')
  b.version = math.max(last + 1, now)
  b.changedAt = now
  redis.call('HSET', S, 'v', whole(b.version))
end
local function calls(from, key)
  local found = {}
  local all = redis.call('ZRANGE', from, 0, -1)
  for i = 1, #all do if keyOf(all[i]) == key then found[#found + 1] = all[i] end end
  return found
end
local function turn(b, circuit)
  changed(b)
  b.circuit, b.epoch, b.successes, b.recovered = circuit, b.version, 0, 0
  local held, said = calls(F, b.key), calls(D, b.key)
  for i = 1, #held do redis.call('ZREM', F, held[i]) end
  for i = 1, #said do redis.call('ZREM', D, said[i]) end
end
local function close(b, recovered)
  turn(b, 0)
  b.trips, b.recovered = 0, recovered
end
local function word(b)
  local function left(ends) return ends > now and ends - now or 0 end
  local function hold(named, ends)
    if ends <= now then return -1, -1 end
    return left(named), ends - now
  end
  local limitNamed, limitUntil = hold(b.limitNamed, b.limitUntil)
  local outageNamed, outageUntil = hold(b.outageNamed, b.outageUntil)
  return {b.key, b.version, b.epoch, b.circuit, b.circuit == 1 and left(b.ends) or 0, b.reason, b.trips, b.successes,
    b.permits + b.successes, #calls(F, b.key), b.recovered, b.cleared, limitNamed, limitUntil, outageNamed, outageUntil, b.isolated}
end
local function keep()
  for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], kept) end
end
local dead = redis.call('ZRANGEBYSCORE', F, '-inf', whole(now))
for i = 1, #dead do
  redis.call('ZREM', F, dead[i])
  local b = load(keyOf(dead[i]))
  changed(b)
  save(b)
end
redis.call('ZREMRANGEBYSCORE', D, '-inf', whole(now))
`

/** ARGV: key, reason, lasts, trips, permits, attempt (none: empty). */
export const open = `${prelude}
local b = load(ARGV[1])
local ends, trips = now + tonumber(ARGV[3]), tonumber(ARGV[4])
if ARGV[6] == '' or redis.call('ZSCORE', F, callOf(b.key, ARGV[6])) then
  if b.circuit ~= 1 or b.ends <= now then
    if b.circuit == 0 then b.trips = trips else b.trips = math.max(b.trips, trips) end
    turn(b, 1)
    b.ends, b.reason, b.permits = ends, ARGV[2], tonumber(ARGV[5])
    save(b)
  elseif ends > b.ends or trips > b.trips then
    changed(b)
    if ends > b.ends then b.ends, b.reason, b.permits = ends, ARGV[2], tonumber(ARGV[5]) end
    b.trips = math.max(b.trips, trips)
    save(b)
  end
end
keep()
return word(b)
`

/** ARGV: key, attempt, lease, permits, epoch, trips, reason, whether the call is made already (1). Gives whether it is let in, then what is known. */
export const probe = `${prelude}
local b = load(ARGV[1])
local call = callOf(b.key, ARGV[2])
if redis.call('ZSCORE', F, call) then return {1, word(b)} end
if b.circuit == 0 and b.epoch <= tonumber(ARGV[5]) then
  turn(b, 2)
  b.permits, b.trips, b.reason = tonumber(ARGV[4]), tonumber(ARGV[6]), ARGV[7]
  save(b)
elseif b.circuit == 1 and b.ends <= now then
  changed(b)
  b.circuit, b.permits = 2, tonumber(ARGV[4])
  save(b)
end
local admitted = 0
if b.circuit == 2 and (ARGV[8] == '1' or #calls(F, b.key) < b.permits + b.successes) then
  admitted = 1
  redis.call('ZADD', F, whole(now + tonumber(ARGV[3])), call)
  changed(b)
  save(b)
end
keep()
return {admitted, word(b)}
`

/** ARGV: key, attempt, whether it succeeded (1), successes that are enough, whether it counts without a permit (1). */
export const conclude = `${prelude}
local b = load(ARGV[1])
local call = callOf(b.key, ARGV[2])
local held = redis.call('ZREM', F, call) == 1
if held then changed(b) end
if ARGV[3] == '1' and (held or ARGV[5] == '1') and b.circuit ~= 0 and not redis.call('ZSCORE', D, call) then
  changed(b)
  redis.call('ZADD', D, whole(now + remembered), call)
  b.circuit, b.successes = 2, b.successes + 1
  if b.successes >= tonumber(ARGV[4]) then close(b, 1) end
end
if b.version > 0 then save(b) end
keep()
return word(b)
`

/** ARGV: key, epoch (-1: in any case, and all of it). */
export const close = `${prelude}
local b = load(ARGV[1])
local epoch = tonumber(ARGV[2])
if epoch < 0 then
  close(b, 0)
  b.limitUntil, b.outageUntil, b.cleared = 0, 0, b.version
  save(b)
elseif b.circuit ~= 0 and b.epoch <= epoch then
  close(b, 0)
  save(b)
end
keep()
return word(b)
`

/** ARGV: key, `limit` or `outage`, named, until. */
export const hold = `${prelude}
local b = load(ARGV[1])
local ends = now + tonumber(ARGV[4])
if ends > b[ARGV[2] .. 'Until'] then
  b[ARGV[2] .. 'Named'], b[ARGV[2] .. 'Until'] = now + tonumber(ARGV[3]), ends
  changed(b)
  save(b)
end
keep()
return word(b)
`

/** ARGV: key, 1 or 0. */
export const isolate = `${prelude}
local b = load(ARGV[1])
if b.isolated ~= tonumber(ARGV[2]) then
  b.isolated = tonumber(ARGV[2])
  changed(b)
  save(b)
end
keep()
return word(b)
`

/** ARGV: lease, then key and attempt of each call. Gives the places of those that are held no more, from 0. */
export const renew = `${prelude}
local lost = {}
for i = 2, #ARGV, 2 do
  local call = callOf(ARGV[i], ARGV[i + 1])
  if redis.call('ZSCORE', F, call) then redis.call('ZADD', F, whole(now + tonumber(ARGV[1])), call)
  else lost[#lost + 1] = (i - 2) / 2 end
end
keep()
return lost
`

/** ARGV: version. Gives what is known of each, one after the other. */
export const look = `${prelude}
local words = {}
local keys = redis.call('ZRANGEBYSCORE', V, whole(tonumber(ARGV[1]) + 1), '+inf')
for i = 1, #keys do
  local b = load(keys[i])
  if b.circuit == 0 and b.isolated == 0 and b.changedAt + remembered <= now and b.limitUntil <= now and b.outageUntil <= now then
    redis.call('HDEL', S, 's:' .. b.key, 'r:' .. b.key)
    redis.call('ZREM', V, b.key)
  else
    local told = word(b)
    for n = 1, #told do words[#words + 1] = told[n] end
  end
end
if tonumber(ARGV[1]) == 0 then keep() end
-- To emulations of the server a table is a list only where it was made at once.
if #words < 2000 then return {unpack(words)} end
return words
`
