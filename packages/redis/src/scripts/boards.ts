/**
 * Boards, as scripts over two keys of each: a hash with members' words, and members by the end of their words. A word is kept
 * with the moment that it was said, by the server's clock.
 */

const prelude = `
local W, E = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000.0 + math.floor(time[2] / 1000)
local function whole(n) return string.format('%.0f', n) end
`

/** ARGV: member, how long its word lasts (ms; 0 takes it away), the word. */
export const post = `${prelude}
local old = redis.call('ZRANGEBYSCORE', E, '-inf', whole(now))
for i = 1, #old do
  redis.call('HDEL', W, old[i])
  redis.call('ZREM', E, old[i])
end
local lasts = tonumber(ARGV[2])
if lasts > 0 then
  redis.call('HSET', W, ARGV[1], whole(now) .. ':' .. ARGV[3])
  redis.call('ZADD', E, whole(now + lasts), ARGV[1])
else
  redis.call('HDEL', W, ARGV[1])
  redis.call('ZREM', E, ARGV[1])
end
local ms = whole(math.max(1, lasts, redis.call('PTTL', W)))
redis.call('PEXPIRE', W, ms)
redis.call('PEXPIRE', E, ms)
return 1
`

/** Gives member, age (ms) and word of each. A stack holds some 8,000 of them; as one it also passes through emulations. */
export const read = `${prelude}
local members = redis.call('ZRANGEBYSCORE', E, whole(now + 1), '+inf')
local found = {}
for i = 1, #members do
  local word = redis.call('HGET', W, members[i])
  if word then
    local at, json = string.match(word, '^(%d+):(.*)$')
    found[#found + 1] = members[i]
    found[#found + 1] = math.max(0, now - tonumber(at))
    found[#found + 1] = json
  end
end
if #found < 6000 then return {unpack(found)} end
return found
`
