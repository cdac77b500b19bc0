/**
 * Money of one window, as a script over one key: a hash with the window's end (`e`, which also names it), what was settled (`s`), and
 * of each process (`hNAME`) what it has told, its lease, and when that ends. Whole nano-USD and ms, by the server's clock. It
 * decides as `router/fleet/memorySpend` does.
 *
 * ARGV: holder, length (-1: endless), limit, amount (-1: leave it), how long it lasts, settled, confirmed, known, window, endsIn (-1: not known).
 * Gives spent, granted, leased by others, the window, and when it ends (-1: never).
 */
export const lease = `
local W, holder = KEYS[1], ARGV[1]
local length, limit, amount, lasts = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local settled, confirmed, known = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local window, endsIn = tonumber(ARGV[9]), tonumber(ARGV[10])
local never, remembered, kept = 9007199254740991, 600000, 34560000000
local time = redis.call('TIME')
local now = time[1] * 1000.0 + math.floor(time[2] / 1000)
local function whole(n) return string.format('%.0f', n) end
local function parse(text)
  local told, lease, ends = string.match(text, '^(%d+):(%d+):(%d+)$')
  return tonumber(told), tonumber(lease), tonumber(ends)
end
local e = tonumber(redis.call('HGET', W, 'e') or '0')
if e > 0 and e <= now then
  redis.call('DEL', W)
  e = 0
end
local spent = tonumber(redis.call('HGET', W, 's') or '0')
local seen, held, ends = 0, 0, 0
local mine = redis.call('HGET', W, 'h' .. holder)
if mine then seen, held, ends = parse(mine) end
local more, least = 0, 0
if window == 0 or window > now then
  more = math.max(0, settled - math.max(confirmed, seen))
  least = known
end
local isUsed = amount > 0 or more > 0 or least > 0
if e == 0 then
  if length < 0 then
    if isUsed then e = never end
  elseif window > now then e = window
  elseif endsIn > 0 and (more > 0 or least > 0) then e = now + math.min(endsIn, length)
  elseif isUsed then e = now + length end
end
if e == 0 then return {0, 0, 0, 0, 0} end
spent = math.max(spent + more, least)
local others = 0
local all = redis.call('HKEYS', W)
for i = 1, #all do
  local field = all[i]
  if string.sub(field, 1, 1) == 'h' and field ~= 'h' .. holder then
    local _, lease, untilThen = parse(redis.call('HGET', W, field))
    if untilThen > now then others = others + lease
    elseif untilThen + remembered <= now then redis.call('HDEL', W, field) end
  end
end
local granted, lasting = held, ends
if amount >= 0 or ends <= now then
  granted = math.max(0, math.min(math.max(0, amount), limit - spent - others))
  lasting = now + lasts
end
redis.call('HSET', W, 'e', whole(e))
redis.call('HSET', W, 's', whole(spent))
redis.call('HSET', W, 'h' .. holder, whole(settled) .. ':' .. whole(granted) .. ':' .. whole(lasting))
if e == never then
  redis.call('PEXPIRE', W, kept)
  return {spent, granted, others, e, -1}
end
redis.call('PEXPIRE', W, whole(e - now + 60000))
return {spent, granted, others, e, e - now}
`
