// Runs a program that is one file, by what V8 has compiled of it before: to read and compile all of it takes as long as all else
// that a start does. What it has compiled is kept beside the program, for each Node: by the build for the one that builds, else by
// the first start that may write there.
const { closeSync, fstatSync, openSync, readSync, renameSync, writeFileSync } = require("node:fs")
const { createRequire } = require("node:module")
const { dirname } = require("node:path")
const { cachedDataVersionTag, setFlagsFromString } = require("node:v8")
const { Script } = require("node:vm")

/** Ms after which a start is over: what is compiled by then is what the next one needs. The build does not wait that long. */
const startTakes = Number(process.env.SWITCHYARD_START_TAKES ?? 5_000)

/**
 * Memory that malloc knows nothing of. What glibc gives back to the system it measures by the largest piece that was ever freed:
 * after two files of 6 MB, read once, each of a process's threads keeps up to 12, which was 25 MiB of a gateway that serves.
 * @param {number} size
 */
const memoryFor = (size) => {
  try {
    return Buffer.from(new WebAssembly.Memory({ initial: Math.ceil(size / 65_536) }).buffer, 0, size)
  } catch {
    // Such memory reserves addresses, of which a process may be granted few.
    return Buffer.alloc(size)
  }
}

/** @param {string} path */
const bytesOf = (path) => {
  const file = openSync(path, "r")
  try {
    const { size } = fstatSync(file)
    const bytes = memoryFor(size)
    let length = 0
    for (let more = -1; more !== 0 && length < size; length += more)
      more = readSync(file, bytes, length, size - length, length)
    return bytes.subarray(0, length)
  } finally {
    closeSync(file)
  }
}

/** @param {string} path */
const read = (path) => {
  try {
    return bytesOf(path)
  } catch {
    return undefined
  }
}

/**
 * A program begins with a comment that says its hash: V8 itself tells programs apart by their length only. The tag stands for its
 * version, its flags and the processor: what was compiled under others it refuses.
 * @param {string} file @param {string} source
 */
const cacheOf = (file, source) =>
  `${file}.${source.slice(2, source.indexOf("*", 2))}.${process.version}-${cachedDataVersionTag()}.cache`

/**
 * What V8 has compiled, as it will be asked for: under the flags of a start. A gateway that serves has changed one since
 * (src/serve/collecting.ts), and V8 refuses what bears other flags than it has when it reads it.
 * @param {import("node:vm").Script} script @param {number} tag
 */
const compiled = (script, tag) => {
  if (cachedDataVersionTag() === tag) return script.createCachedData()
  setFlagsFromString("--allocation-site-pretenuring")
  try {
    return script.createCachedData()
  } finally {
    setFlagsFromString("--no-allocation-site-pretenuring")
  }
}

/** @param {string} path @param {import("node:vm").Script} script @param {number} tag */
const keep = (path, script, tag) => {
  const draft = `${path}.${process.pid}`
  try {
    writeFileSync(draft, compiled(script, tag), { mode: 0o644 })
    renameSync(draft, path)
  } catch {
    // Nobody may write there: the next start takes as long as this one.
  }
}

/** A script that was compiled before imports nothing itself. @param {string} specifier */
const importHere = (specifier) => import(specifier)

/** @param {string} file */
const load = (file) => {
  // One byte a character: the build writes nothing else.
  const source = bytesOf(file).latin1Slice()
  const path = cacheOf(file, source)
  const tag = cachedDataVersionTag()
  const cachedData = read(path)
  const script = new Script(source, {
    filename: file,
    ...(cachedData === undefined ? {} : { cachedData })
  })
  const run = script.runInThisContext()
  const module = { exports: {} }
  run(module.exports, createRequire(file), module, file, dirname(file), importHere)
  if (cachedData === undefined || script.cachedDataRejected) {
    setTimeout(() => keep(path, script, tag), startTakes).unref()
  }
}

module.exports = { load }
