import { assert, describe, it } from "@effect/vitest"
import type { ConfigError } from "@switchyard/core/ConfigError"
import * as Deployment from "@switchyard/core/Deployment"
import { Duration, Either, Redacted } from "effect"

const ok = { id: "a", group: "g", model: "m" }

const problems = (input: unknown, path?: string): ReadonlyArray<string> => {
  const error: ConfigError = Either.getOrThrowWith(
    Either.flip(Deployment.decodeAll(input, path)),
    () => new Error("decoded")
  )
  return error.message.split("\n")
}
const decode = (input: unknown) => Either.getOrThrow(Deployment.decodeAll(input))

describe("Deployment.decodeAll", () => {
  it("fills in the defaults", () => {
    const [deployment] = decode([ok])
    assert.deepInclude(deployment, {
      id: Deployment.DeploymentId("a"),
      group: "g",
      model: "m",
      provider: "openai",
      protocol: "openai",
      baseUrl: undefined,
      apiKey: undefined,
      headers: {},
      weight: undefined,
      rpm: undefined,
      tpm: undefined,
      maxParallel: undefined,
      timeout: undefined,
      streamTimeout: undefined,
      firstTokenTimeout: undefined,
      idleTimeout: undefined,
      maxRetries: undefined,
      retryPolicy: {},
      priority: undefined,
      order: undefined,
      tags: [],
      region: undefined,
      contextWindow: undefined,
      capabilities: undefined,
      operations: undefined,
      inputPrice: undefined,
      cachedInputPrice: undefined,
      outputPrice: undefined,
      defaults: {}
    })
  })

  it("takes durations as milliseconds, text or Duration, and keeps the key redacted", () => {
    const [deployment] = decode([
      {
        ...ok,
        timeout: "2 minutes",
        firstTokenTimeout: 1500,
        idleTimeout: Duration.seconds(3),
        apiKey: "sk-secret",
        capabilities: ["tools"],
        weight: 0.5,
        rpm: 0,
        maxRetries: 0,
        inputPrice: 0
      }
    ])
    assert.strictEqual(deployment?.timeout, 120_000)
    assert.strictEqual(deployment?.firstTokenTimeout, 1500)
    assert.strictEqual(deployment?.idleTimeout, 3000)
    assert.isTrue(deployment?.capabilities?.has("tools"))
    assert.deepStrictEqual(
      [deployment?.weight, deployment?.rpm, deployment?.maxRetries, deployment?.inputPrice],
      [0.5, 0, 0, 0]
    )
    assert.notInclude(JSON.stringify(deployment), "sk-secret")
    assert.notInclude(String(deployment?.apiKey), "sk-secret")
    assert.strictEqual(deployment?.apiKey === undefined ? "" : Redacted.value(deployment.apiKey), "sk-secret")
  })

  it("keeps the order of the list", () => {
    assert.deepStrictEqual(
      decode([
        { ...ok, id: "z" },
        { ...ok, id: "b" },
        { ...ok, id: "k" }
      ]).map((one) => one.id as string),
      ["z", "b", "k"]
    )
  })

  it("refuses an empty list and what is no list", () => {
    assert.deepStrictEqual(problems([]), ["deployments: expected a list of at least one deployment, found []"])
    assert.deepStrictEqual(problems(undefined), [
      "deployments: expected a list of at least one deployment, found nothing"
    ])
    assert.deepStrictEqual(problems({}, "config.deployments"), [
      "config.deployments: expected a list of at least one deployment, found {}"
    ])
  })

  it("names a misspelt key and the value that it has", () => {
    assert.deepStrictEqual(problems([{ ...ok, wieght: 3 }]), ["deployments[0].wieght: no such key, found 3"])
  })

  it("refuses weights that are negative, infinite or not a number", () => {
    for (const [weight, shown] of [
      [-1, "-1"],
      [Number.NaN, "NaN"],
      [Number.POSITIVE_INFINITY, "Infinity"],
      ["3", '"3"']
    ]) {
      assert.deepStrictEqual(problems([{ ...ok, weight }]), [
        `deployments[0].weight: expected a finite number of at least 0, found ${shown}`
      ])
    }
  })

  it("refuses limits below zero and fractions of a request", () => {
    for (const name of ["rpm", "tpm", "maxParallel", "contextWindow"]) {
      for (const value of [-1, 0.5]) {
        assert.deepStrictEqual(problems([{ ...ok, [name]: value }]), [
          `deployments[0].${name}: expected a whole number of at least 0, found ${value}`
        ])
      }
    }
  })

  it("refuses timeouts that are no time", () => {
    for (const [timeout, shown] of [
      [0, "0"],
      [-5, "-5"],
      [Number.NaN, "NaN"],
      ["soon", '"soon"'],
      ["-5 seconds", '"-5 seconds"']
    ]) {
      assert.deepStrictEqual(problems([{ ...ok, firstTokenTimeout: timeout }]), [
        `deployments[0].firstTokenTimeout: expected a duration above 0, in ms or like "30 seconds", found ${shown}`
      ])
    }
  })

  it("names each duplicate and the first that has its id", () => {
    assert.deepStrictEqual(problems([ok, { ...ok, id: "b" }, ok, { ...ok, weight: -1 }]), [
      'deployments[2].id: expected an id of its own (deployments[0] has this one), found "a"',
      "deployments[3].weight: expected a finite number of at least 0, found -1",
      'deployments[3].id: expected an id of its own (deployments[0] has this one), found "a"'
    ])
  })

  it("collects every problem of every entry at once", () => {
    assert.sameMembers(
      [
        ...problems([
          { id: "", group: "g", rpm: -1, baseUrl: "ftp://x" },
          null,
          "x",
          { ...ok, maxRetries: 101, tags: ["eu", 3] }
        ])
      ],
      [
        'deployments[0].id: expected a string that is not empty, found ""',
        "deployments[0].model: expected a value, found nothing",
        "deployments[0].rpm: expected a whole number of at least 0, found -1",
        'deployments[0].baseUrl: expected an http or https URL, found "ftp://x"',
        "deployments[1]: expected an object, found null",
        'deployments[2]: expected an object, found "x"',
        "deployments[3].maxRetries: expected a whole number from 0 to 100, found 101",
        "deployments[3].tags[1]: expected a string that is not empty, found 3"
      ]
    )
  })

  it("never shows a secret, wherever it was put", () => {
    const secret = "sk-verysecret"
    const inputs: ReadonlyArray<unknown> = [
      [{ ...ok, apiKey: { value: secret } }],
      [{ ...ok, apiKey: [secret] }],
      [{ ...ok, apiKye: secret }],
      [{ ...ok, api_key: "plain-verysecret" }],
      [{ ...ok, headers: `Bearer ${secret}` }],
      [{ ...ok, headers: { authorization: [`Bearer ${secret}`], "x-api-key": { value: "verysecret" } } }],
      [{ ...ok, baseUrl: secret, tags: { password: "verysecret" } }],
      [{ ...ok, capabilities: { apiKeys: ["verysecret"] } }]
    ]
    for (const input of inputs) assert.notInclude(problems(input).join("\n"), "verysecret")
    assert.notInclude(problems([{ ...ok, apiKey: 123_456 }]).join("\n"), "123456")
  })
})

describe("Deployment.make", () => {
  it("makes one deployment, and throws what is wrong with the options", () => {
    assert.strictEqual(Deployment.make({ ...ok, weight: 2 }).weight, 2)
    assert.throws(() => Deployment.make({ ...ok, weight: -2 }), /deployments\[0\]\.weight/)
  })
})
