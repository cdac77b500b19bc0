/** KEYS: processes by the end of their word. ARGV: id, how long it holds (ms). Gives how many there are, and the place of this one. */
export const announce = `
local time = redis.call('TIME')
local now = time[1] * 1000.0 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) * 2)
local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
local place = 0
for i = 1, #ids do if ids[i] < ARGV[1] then place = place + 1 end end
return {#ids, place}
`
