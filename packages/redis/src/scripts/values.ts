/** Values, as scripts over one key of each. */

export const get = `return redis.call('GET', KEYS[1])`

/** ARGV: the text, how long it lasts (ms). */
export const set = `
redis.call('SET', KEYS[1], ARGV[1], 'PX', tonumber(ARGV[2]))
return 1
`

export const remove = `return redis.call('DEL', KEYS[1])`
