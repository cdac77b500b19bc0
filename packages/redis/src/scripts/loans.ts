/**
 * Room that processes are lent in advance, as functions of the scripts over the use of limits: the same sums as those of
 * `router/fleet/loans`, with which they share their words. A loan is a field `bLOAN` of the hash, and a member of the fourth key by the
 * end of its lease. The hash has their sums: requests, tokens and calls that are lent (`lr`, `lt`, `lc`), calls that run of
 * them and what these hold (`lu`, `lh`), loans that are open (`lo`); until when nothing is lent (`lp`), and when the first lease may
 * end (`le`).
 *
 * What was lent altogether (`gr`, `gt`, `gc`) only grows, so that a borrower that missed an answer learns it from the next one; words
 * have numbers, so that one that is said again counts once.
 */

/** At most so much of each kind at once, in calls. */
const most = 256

/** Less than room for so many calls is not worth a loan. */
const least = 16

/** A borrower gets this part of its share of what is free: with `least` it says how much room counts as plenty. */
const part = 16

/** After room was asked back nothing is lent for so long, ms. */
const pause = 250

export const loans = `
local parts = {'seq', 'r', 't', 'c', 'gr', 'gt', 'gc', 'running', 'held', 'open', 'm'}
local counted = {'r', 't', 'c', 'running', 'held', 'open'}
local sumOf = {r = 'lr', t = 'lt', c = 'lc', running = 'lu', held = 'lh', open = 'lo'}
local function loanOf(name)
  local text = redis.call('HGET', U, 'b' .. name)
  if not text then return nil end
  local loan, at = {}, 0
  for n in string.gmatch(text, '%d+') do
    at = at + 1
    loan[parts[at]] = tonumber(n)
  end
  return loan
end
local function put(loan, part, value)
  value = math.max(0, value)
  add(sumOf[part], value - loan[part])
  loan[part] = value
end
local function hold(name, loan)
  local words, ends = {}, now + lease
  for i = 1, #parts do words[i] = whole(loan[parts[i]]) end
  redis.call('HSET', U, 'b' .. name, table.concat(words, ':'))
  redis.call('ZADD', L, whole(ends), name)
  local first = read('le')
  if first == 0 or ends < first then redis.call('HSET', U, 'le', whole(ends)) end
end
local function drop(name, loan)
  for i = 1, #counted do put(loan, counted[i], 0) end
  redis.call('HDEL', U, 'b' .. name)
  redis.call('ZREM', L, name)
end
local function endLoans()
  local gone = redis.call('ZRANGEBYSCORE', L, '-inf', whole(now))
  for i = 1, #gone do
    local loan = loanOf(gone[i])
    if loan then
      -- What its borrower did nobody knows: all counts as used.
      local m = moment()
      count('r', m, loan.r)
      count('t', m, math.max(loan.t, loan.held))
      drop(gone[i], loan)
    else redis.call('ZREM', L, gone[i]) end
  end
  local first = redis.call('ZRANGE', L, 0, 0, 'WITHSCORES')
  redis.call('HSET', U, 'le', first[2] and whole(tonumber(first[2])) or '0')
  keep()
end
local function recall(freesIn)
  redis.call('HSET', U, 'lp', whole(now + ${pause}))
  if freesIn < 0 or freesIn > ${pause} then return ${pause} end
  return freesIn
end
local function lend(name, isKnown, s, limits, each, borrowers)
  local loan = loanOf(name)
  if not loan and isKnown then return -1, 0, 0 end
  local function so()
    if loan then return loan.gr, loan.gt, loan.gc end
    return 0, 0, 0
  end
  if s.lp > now or (loan and loan.open == 0) then return so() end
  local function share(limit, used, bound)
    if limit < 0 then return bound end
    return math.min(bound, math.floor((limit - used) / (${part} * borrowers)))
  end
  local r, c = share(limits.rpm, s.r + s.lr, ${most}), share(limits.most, s.calls + s.lc, ${most})
  local t = limits.tpm < 0 and 0 or share(limits.tpm, s.t + s.h + s.lt, ${most} * each)
  if r < ${least} or c < ${least} or (limits.tpm >= 0 and t < ${least} * each) then return so() end
  if not loan then
    loan = {}
    for i = 1, #parts do loan[parts[i]] = 0 end
    put(loan, 'open', 1)
  end
  local function more(part, granted, wanted, used)
    local by = math.max(0, wanted - (loan[part] - used))
    put(loan, part, loan[part] + by)
    loan[granted] = loan[granted] + by
  end
  more('r', 'gr', r, 0)
  more('c', 'gc', c, loan.running)
  if limits.tpm >= 0 then more('t', 'gt', t, loan.held) end
  hold(name, loan)
  keep()
  return so()
end
local function hear(loan, seq, isClosed)
  local began, m = tonumber(ARGV[10]), ''
  loan.seq, loan.m = seq, 0
  if began > 0 then
    m = moment()
    loan.m = tonumber(m)
    count('r', m, began)
    add('n', began)
  end
  for i = 17, #ARGV, 3 do
    local at = ARGV[i] == '' and m or ARGV[i]
    if redis.call('ZSCORE', M, at) then
      count('t', at, tonumber(ARGV[i + 1]))
      count('r', at, -tonumber(ARGV[i + 2]))
    end
  end
  put(loan, 'r', loan.r - tonumber(ARGV[11]))
  put(loan, 't', loan.t - tonumber(ARGV[12]))
  put(loan, 'c', loan.c - tonumber(ARGV[13]))
  put(loan, 'running', tonumber(ARGV[14]))
  put(loan, 'held', tonumber(ARGV[15]))
  if isClosed then put(loan, 'open', 0) end
end
`
