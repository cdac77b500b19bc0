/**
 * The use of limits, as scripts that run in the engine: each is one atomic step over the four keys of one deployment or
 * caller, by the engine's own clock in whole ms. They keep the same sums as `router/fleet/sharedUsage`.
 *
 * KEYS: a hash with sums (`r` requests, `t` tokens settled, `h` tokens held, `n` admissions), the amounts of single moments
 * (`rMOMENT`, `tMOMENT`) and calls in flight (`aATTEMPT` = moment and tokens); the moments by their time; the calls by the
 * end of their lease; what was lent (`scripts/loans`). Moments closer than a 2,000th of the window are one, under the time of the latest: so that amounts may
 * leave late but never early.
 */

import { loans } from "./loans.js"

/** What all need. A server makes these functions anew for each run, which takes as long as some commands: so there are few. */
const base = `
local U, M, F, L = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local window, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000.0 + math.floor(time[2] / 1000)
local grain = math.max(1, math.ceil(window / 2000))
local function whole(n) return string.format('%.0f', n) end
local function add(field, n) if n ~= 0 then redis.call('HINCRBY', U, field, whole(n)) end end
local function number(found) return tonumber(found or '0') or 0 end
local function read(field) return number(redis.call('HGET', U, field)) end
local function keep()
  local ms = whole(window + lease + 60000)
  redis.call('PEXPIRE', U, ms)
  redis.call('PEXPIRE', M, ms)
  redis.call('PEXPIRE', F, ms)
  redis.call('PEXPIRE', L, ms)
end
local function moment()
  local m = whole(math.floor(now / grain))
  return m, redis.call('ZADD', M, whole(now), m) == 1
end
local function count(kind, m, n) add(kind, n) add(kind .. m, n) end
local function finish(attempt, used, isRefunded)
  local known = redis.call('HGET', U, 'a' .. attempt)
  if not known then return end
  local m, tokens = string.match(known, '^(%d+):(%d+)$')
  tokens = tonumber(tokens)
  redis.call('HDEL', U, 'a' .. attempt)
  redis.call('ZREM', F, attempt)
  add('h', -tokens)
  if redis.call('ZSCORE', M, m) then
    count('t', m, math.min(used, tokens))
    if isRefunded then count('r', m, -1) end
  end
  if used > tokens then
    count('t', moment(), used - tokens)
    keep()
  end
end
local function endLeases()
  local dead = redis.call('ZRANGEBYSCORE', F, '-inf', whole(now))
  for i = 1, #dead do
    local known = redis.call('HGET', U, 'a' .. dead[i])
    if known then finish(dead[i], tonumber(string.match(known, ':(%d+)$')), false)
    else redis.call('ZREM', F, dead[i]) end
  end
end
`

const prelude = `${base}
local function forget(old, from, to)
  local fields = {}
  for i = from, to do
    fields[#fields + 1] = 'r' .. old[i]
    fields[#fields + 1] = 't' .. old[i]
  end
  local amounts = redis.call('HMGET', U, unpack(fields))
  local r, t = 0, 0
  for i = 1, #fields, 2 do
    r = r + number(amounts[i])
    t = t + number(amounts[i + 1])
  end
  add('r', -r)
  add('t', -t)
  redis.call('HDEL', U, unpack(fields))
end
local function expire()
  local oldest = redis.call('ZRANGE', M, 0, 0, 'WITHSCORES')
  if oldest[1] and tonumber(oldest[2]) <= now - window then
    local old = redis.call('ZRANGEBYSCORE', M, '-inf', whole(now - window))
    for from = 1, #old, 500 do forget(old, from, math.min(#old, from + 499)) end
    redis.call('ZREMRANGEBYSCORE', M, '-inf', whole(now - window))
  end
  endLeases()
end
local function leaves(kind, amount)
  local sum, from, size = 0, 0, 2
  while true do
    local moments = redis.call('ZRANGE', M, from, from + size - 1)
    for i = 1, #moments do
      sum = sum + read(kind .. moments[i])
      if sum >= amount then return math.max(0, tonumber(redis.call('ZSCORE', M, moments[i])) + window - now) end
    end
    if #moments < size then return -1 end
    from = from + size
    size = 2 * size
  end
end
${loans}
local function sums(attempt)
  local found = redis.call('HMGET', U, 'r', 't', 'h', 'n', 'lr', 'lt', 'lc', 'lu', 'lh', 'lo', 'lp', 'le', 'a' .. attempt)
  local ends = number(found[12])
  if ends > 0 and ends <= now then
    endLoans()
    return sums(attempt)
  end
  return {
    r = number(found[1]), t = number(found[2]), h = number(found[3]), n = number(found[4]),
    lr = number(found[5]), lt = number(found[6]), lc = number(found[7]), lu = number(found[8]), lh = number(found[9]),
    lo = number(found[10]), lp = number(found[11]),
    calls = redis.call('ZCARD', F), isKnown = type(found[13]) == 'string'
  }
end
local function use(s)
  local rIn, tIn = -1, -1
  if s.r > 0 or s.t > 0 then
    local first = redis.call('ZRANGE', M, 0, 0, 'WITHSCORES')
    if first[1] then
      local amounts = redis.call('HMGET', U, 'r' .. first[1], 't' .. first[1])
      local left = math.max(0, tonumber(first[2]) + window - now)
      if s.r > 0 then rIn = number(amounts[1]) > 0 and left or leaves('r', 1) end
      if s.t > 0 then tIn = number(amounts[2]) > 0 and left or leaves('t', 1) end
    end
  end
  return s.r, s.t + s.h + s.lh, s.calls + s.lu, rIn, tIn
end
`

/**
 * ARGV: window, lease, attempt, rpm, tpm, maxParallel (-1: none), tokens, loan (empty: none), whether it is known to its borrower
 * (1), borrowers. Gives 0 or a reason's number, what goes with it, the use; then of an admission what was lent so far, of a refusal how
 * many loans may come back.
 */
export const admit = `${prelude}
expire()
local attempt, limits = ARGV[3], {rpm = tonumber(ARGV[4]), tpm = tonumber(ARGV[5]), most = tonumber(ARGV[6])}
local rpm, tpm, most = limits.rpm, limits.tpm, limits.most
local tokens = tonumber(ARGV[7])
if tpm >= 0 then tokens = math.min(tokens, tpm) end
tokens = math.max(1, tokens)
local s = sums(attempt)
if not s.isKnown then
  local reason, freesIn = 0, -1
  if most >= 0 and s.calls + s.lc >= most then reason = 3
  elseif rpm >= 0 and s.r + s.lr >= rpm then
    reason = 1
    if rpm > 0 then freesIn = leaves('r', s.r + s.lr - rpm + 1) end
  elseif tpm >= 0 then
    local excess = s.h + s.lt + s.t + tokens - tpm
    if tpm == 0 or excess > 0 then
      reason = 2
      if tpm > 0 then freesIn = leaves('t', excess) end
    end
  end
  if reason > 0 then
    if s.lo > 0 then freesIn = recall(freesIn) end
    local r, t, calls, rIn, tIn = use(s)
    return {reason, freesIn, r, t, calls, rIn, tIn, s.lo}
  end
  local m, isNew = moment()
  local isFirst = s.calls == 0
  s.r, s.h, s.n, s.calls = s.r + 1, s.h + tokens, s.n + 1, s.calls + 1
  redis.call('HINCRBY', U, 'r' .. m, 1)
  redis.call('HSET', U, 'r', whole(s.r), 'h', whole(s.h), 'n', whole(s.n), 'a' .. attempt, m .. ':' .. whole(tokens))
  redis.call('ZADD', F, whole(now + lease), attempt)
  -- A set that was empty is a new key; within a moment all live long enough.
  if isNew or isFirst then keep() end
end
if ARGV[8] == '' then return {0, s.n, use(s)} end
local r, t, calls, rIn, tIn = use(s)
return {0, s.n, r, t, calls, rIn, tIn, lend(ARGV[8], ARGV[9] == '1', s, limits, tokens, tonumber(ARGV[10]))}
`

/** ARGV: window, lease, attempt, tokens (-1: nothing was sent). How long the keys live was said with the admission. */
export const settle = `${base}
endLeases()
local used = tonumber(ARGV[4])
finish(ARGV[3], math.max(0, used), used < 0)
return 1
`

/** ARGV: window, lease, attempts. Gives those that are held no more. */
export const renew = `${prelude}
expire()
local lost = {}
for i = 3, #ARGV do
  if redis.call('ZSCORE', F, ARGV[i]) then redis.call('ZADD', F, whole(now + lease), ARGV[i])
  else lost[#lost + 1] = ARGV[i] end
end
keep()
return lost
`

/** ARGV: window, lease, requests, tokens. */
export const record = `${prelude}
expire()
local m = moment()
count('r', m, tonumber(ARGV[3]))
count('t', m, tonumber(ARGV[4]))
add('n', tonumber(ARGV[3]))
keep()
return 1
`

/** ARGV: window, lease. */
export const look = `${prelude}
expire()
return {use(sums(''))}
`

/**
 * ARGV: window, lease, loan, number of the word, rpm, tpm, maxParallel, tokens of one call, borrowers, requests that began, what is lent
 * no more (requests, tokens, calls), calls in flight, tokens that they hold, whether it is closed (1); then of calls that ended, by
 * the moment of their beginning (empty: this word's): moment, tokens, requests of which nothing was sent. A word that was taken before
 * changes nothing. Gives 0 for a loan that is no more; or 1, or 2 where it is asked back; the moment, what was lent so far, the use.
 */
export const told = `${prelude}
expire()
sums('')
local loan = loanOf(ARGV[3])
if not loan then return {0} end
local seq, isClosed = tonumber(ARGV[4]), ARGV[16] == '1'
if seq > loan.seq then hear(loan, seq, isClosed) end
if isClosed and loan.running == 0 then drop(ARGV[3], loan) else hold(ARGV[3], loan) end
keep()
local s = sums('')
local limits = {rpm = tonumber(ARGV[5]), tpm = tonumber(ARGV[6]), most = tonumber(ARGV[7])}
local gr, gt, gc = loan.gr, loan.gt, loan.gc
if not isClosed then gr, gt, gc = lend(ARGV[3], true, s, limits, tonumber(ARGV[8]), tonumber(ARGV[9])) end
return {s.lp > now and 2 or 1, loan.m, gr, gt, gc, use(s)}
`
