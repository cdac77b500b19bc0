/** A stack of one's own under the gateway: named in a file, loaded, checked, reloaded, and shown. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "@switchyard/core/LlmError"
import * as Service from "@switchyard/core/Service"
import * as ConfigFile from "@switchyard/gateway/ConfigFile"
import * as Gateway from "@switchyard/gateway/Gateway"
import * as Concern from "@switchyard/router/Concern"
import { CooldownState } from "@switchyard/router/CooldownState"
import * as Router from "@switchyard/router/Router"
import type { AnyStack } from "@switchyard/router/Stack"
import * as StackView from "@switchyard/router/StackView"
import * as FakeProvider from "@switchyard/testing/FakeProvider"
import { Clock, Context, Duration, Effect } from "effect"
import { folderWith, loadFiles, reportOf } from "../support/configFiles.js"
import { answersWell, chat, post, start } from "../support/gateways.js"

const example = readFileSync(new URL("../../../../examples/own-layer/stack.mjs", import.meta.url), "utf8")
const deployments = "deployments: [{ id: one, group: smart, model: m, baseUrl: http://127.0.0.1:9/v1 }]\n"
const withStack = (module: string, rest = "") =>
  loadFiles({ "config.yaml": `stack: ./stack.mjs\n${deployments}${rest}`, "stack.mjs": module })

const errorLines = () => {
  const lines: Array<string> = []
  const before = console.error
  return Effect.as(
    Effect.acquireRelease(
      Effect.sync(() => {
        console.error = (line: unknown) => lines.push(String(line))
      }),
      () =>
        Effect.sync(() => {
          console.error = before
        })
    ),
    lines
  )
}

describe("a stack that a file names", () => {
  it.scopedLive(
    "redacts before any group is asked and logs attempts behind the breaker, before and after a reload",
    () =>
      Effect.gen(function* () {
        const lines = yield* errorLines()
        const upstream = yield* FakeProvider.make({ name: "one" })
        const text = (weight: number) => `
stack: ./stack.mjs
redaction: { words: [Rumpelstiltskin] }
server: { port: 0 }
masterKey: sk-master-4be1f0c6
deployments: [{ id: one, group: smart, model: m, weight: ${weight}, baseUrl: "${upstream.url}" }]
`
        const folder = yield* folderWith({ "config.yaml": text(1), "stack.mjs": example })
        const file = join(folder, "config.yaml")
        const loaded = yield* ConfigFile.load(file)
        assert.include(loaded.files, join(folder, "stack.mjs"))
        const gateway = yield* Gateway.make(loaded)
        const ask = () =>
          post(gateway, "/v1/chat/completions", {
            model: "smart",
            messages: [{ role: "user", content: "I am Rumpelstiltskin" }]
          })
        assert.strictEqual((yield* ask()).status, 200)
        const { tower } = gateway.generations.current()
        writeFileSync(file, text(2))
        yield* gateway.reload(yield* ConfigFile.load(file))
        assert.strictEqual((yield* ask()).status, 200)
        const after = gateway.generations.current().tower
        assert.strictEqual(Context.get(after.state, CooldownState), Context.get(tower.state, CooldownState))
        const sent = upstream.journal().map(({ body }) => JSON.stringify(body))
        assert.lengthOf(sent, 2)
        for (const body of sent) assert.match(body, /I am █{15}/)
        assert.lengthOf(
          lines.filter((line) => /^attempt one: Completed in \d+ ms$/.test(line)),
          2
        )
        const names = StackView.view(after).concerns.map(({ name }) => name)
        assert.strictEqual(names[names.indexOf("fallback") - 1], "redaction")
        assert.strictEqual(names[names.indexOf("cooldown") + 1], "attemptLog")
      })
  )
  it.scopedLive(
    "stays as it was where a concern of the next one throws as it is made, and the one after that is taken",
    () =>
      Effect.gen(function* () {
        const module = (make: string) =>
          `export default (stack, { Concern }) => stack.insertBefore("retry", Concern.request({ name: "own", make: ${make} }))`
        const folder = yield* folderWith({
          "config.yaml": `stack: ./stack.mjs\nserver: { port: 0 }\n${deployments}`,
          "stack.mjs": module("() => (next) => next")
        })
        const load = ConfigFile.load(join(folder, "config.yaml"))
        const gateway = yield* Gateway.make(yield* load)
        for (const make of ["() => { throw new Error('no luck') }", "() => () => { throw new Error('no luck') }"]) {
          writeFileSync(join(folder, "stack.mjs"), module(make))
          const { message } = yield* Effect.flip(gateway.reload(yield* load))
          assert.match(message, /^stack: expected concerns that can be made, found no luck( \(\S+\))?$/)
        }
        writeFileSync(join(folder, "stack.mjs"), module("() => undefined"))
        yield* gateway.reload(yield* load)
        assert.strictEqual(gateway.generations.current().number, 2)
      })
  )
  it.scopedLive("is given up where its module does not end, and read again once that has changed", () =>
    Effect.gen(function* () {
      const clock = Clock.make()
      const hurried = { ...clock, sleep: () => clock.sleep(Duration.millis(20)) }
      const folder = yield* folderWith({
        "config.yaml": `stack: ./stack.mjs\n${deployments}`,
        "stack.mjs": "export default () => new Promise(() => {})"
      })
      const found = yield* Effect.flip(Effect.withClock(ConfigFile.load(join(folder, "config.yaml")), hurried))
      assert.deepStrictEqual(
        found.problems.map(({ message }) => message),
        ["the module has not ended after 10 seconds"]
      )
      assert.include(found.files, join(folder, "stack.mjs"))
      assert.isDefined(yield* ConfigFile.contentsOf(found))
      writeFileSync(join(folder, "stack.mjs"), "export default (stack) => stack")
      assert.isUndefined(yield* ConfigFile.contentsOf(found))
    })
  )
  it.scoped("is loaded afresh when the module has changed, and only then", () =>
    Effect.gen(function* () {
      const module = (about: string) =>
        `export default (stack, { Concern }) => stack.append(Concern.beside({ name: "own", about: "${about}", make: () => { throw 1 } }))`
      const folder = yield* folderWith({
        "config.yaml": `stack: stack.mjs\n${deployments}`,
        "stack.mjs": module("first")
      })
      const load = Effect.map(ConfigFile.load(join(folder, "config.yaml")), ({ config, fingerprint }) => ({
        own: (config.router.stack as AnyStack | undefined)?.concerns.find(({ id }) => id === "own")?.about,
        fingerprint
      }))
      const first = yield* load
      assert.deepStrictEqual(yield* load, first)
      writeFileSync(join(folder, "stack.mjs"), module("second"))
      const second = yield* load
      assert.deepStrictEqual([first.own, second.own], ["first", "second"])
      assert.notStrictEqual(first.fingerprint, second.fingerprint)
    })
  )
  it.effect("has keys of its own, whose values are checked with all others", () =>
    Effect.gen(function* () {
      const report = reportOf(
        yield* withStack(example, "redaction: { words: 5, wrds: [a] }\ncooldown: { failures: -1 }\n")
      )
      assert.match(report.join("\n"), /redaction\.words/)
      assert.match(report.join("\n"), /redaction\.wrds/)
      assert.match(report.join("\n"), /cooldown\.failures/)
      const without = reportOf(yield* loadFiles({ "config.yaml": `${deployments}redaction: { words: [a] }\n` }))
      assert.match(without.join("\n"), /redaction: no such key/)
    })
  )
  it.effect("that cannot be used is one error at its place, whatever is wrong with it", () =>
    Effect.gen(function* () {
      const of = (module: string, rest = "") =>
        Effect.map(withStack(module, rest), (read) => reportOf(read).slice(1).join("\n"))
      assert.match(
        yield* of("export default 5", "redaction: { words: [a] }\n"),
        /^config\.yaml:1:1 error stack: expected a stack, or a function.*$/
      )
      assert.match(yield* of("export const stack = 5"), /expected a module with a default export/)
      assert.match(yield* of("export default () => { throw new Error('no luck') }"), /the module fails: no luck/)
      assert.match(
        yield* of("export default (stack) => stack.remove('cooldwn')"),
        /no concern "cooldwn" in the stack: tracing, /
      )
      assert.match(yield* of("this is no JavaScript"), /the module fails: /)
      assert.match(
        reportOf(yield* loadFiles({ "config.yaml": `stack: nowhere.mjs\n${deployments}` }))[1] ?? "",
        /stack: no such file, found "nowhere\.mjs"|nowhere/
      )
      assert.match(
        yield* of(
          "export default (stack, { Concern, Context }) => stack.append(Concern.beside({ name: 'needy', needs: [Context.GenericTag('app/Vault')], make: () => { throw 1 } }))"
        ),
        /^$/
      )
    })
  )
})

describe("a stack that is given in code", () => {
  class Teapot extends Concern.request({
    name: "teapot",
    needs: [Context.GenericTag<"pot", string>("app/Pot")],
    make: () =>
      Effect.map(Context.GenericTag<"pot", string>("app/Pot"), (pot) =>
        Service.mapRequest(() =>
          Effect.fail(new LlmError.LlmError({ reason: "InvalidRequest", description: `I am a ${pot}` }))
        )
      )
  }) {}
  const stack = Router.standard.append(Teapot) as unknown as AnyStack

  it.scopedLive("reads services of the app that the gateway runs in, and is refused without them", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const gateway = yield* start([upstream])
      yield* answersWell(gateway)
      const config = gateway.generations.current().source.config
      const found = yield* Effect.flip(Gateway.make({ config }, { stack, port: 0 }))
      assert.match(String(found.message), /app\/Pot, which the app has to provide/)
      const own = yield* Gateway.make({ config }, { stack, port: 0 }).pipe(
        Effect.provideService(Context.GenericTag<"pot", string>("app/Pot"), "teapot")
      )
      const { status, text } = yield* chat(own)
      assert.strictEqual(status, 400)
      assert.include(text, "I am a teapot")
    })
  )
  it.scopedLive("without the concerns whose state the admin endpoints show, those endpoints answer all the same", () =>
    Effect.gen(function* () {
      const upstream = yield* FakeProvider.make({ name: "one" })
      const config = (yield* start([upstream])).generations.current().source.config
      const bare = Router.standard as unknown as AnyStack
      const stack = [
        "cooldown",
        "limits",
        "spendLimits",
        "callerLimits",
        "callerBudget",
        "latency",
        "cost",
        "hedge",
        "healthProbes"
      ].reduce((left, name) => left.remove(name), bare)
      const gateway = yield* Gateway.make({ config }, { stack, port: 0 })
      yield* answersWell(gateway)
      const shown = yield* Effect.promise(() =>
        fetch(`${gateway.url}/admin/deployments`, { headers: { authorization: "Bearer sk-master-4be1f0c6" } }).then(
          (answer) => answer.status
        )
      )
      assert.strictEqual(shown, 200)
    })
  )
})
