import { assert, describe, it } from "@effect/vitest"
import { DeploymentId } from "@switchyard/core/Deployment"
import * as SealedIds from "@switchyard/gateway/SealedIds"
import { FastCheck as fc } from "effect"

const sealer = SealedIds.make("a secret of some length")
const kept = (id: string, deployment = "eu") => ({ deployment: DeploymentId(deployment), id })

const ids = fc
  .tuple(fc.constantFrom("resp_", "file-", "batch_", "vs_", "conv_"), fc.stringMatching(/^[A-Za-z0-9_-]{1,200}$/))
  .map(([prefix, rest]) => prefix + rest)
const deployments = fc.string({ minLength: 1, maxLength: 80 }).filter((text) => !text.includes("\n"))
const owners = fc.constantFrom("", "master", "key a", "key b")

describe("sealed ids", () => {
  it("open to what was sealed, look like the provider's own, and stay within their bound", () => {
    fc.assert(
      fc.property(ids, deployments, owners, (id, deployment, owner) => {
        const sealed = sealer.seal(kept(id, deployment), owner)
        assert.match(sealed, /^(resp_|file-|batch_|vs_|conv_)[A-Za-z0-9_-]+$/)
        assert.strictEqual(sealed.slice(0, 3), id.slice(0, 3))
        assert.notInclude(sealed, id.slice(5).length > 6 ? id : "\n")
        assert.isAtMost(sealed.length, SealedIds.maxLength)
        assert.isTrue(SealedIds.isSealed(sealed))
        assert.deepStrictEqual(sealer.open(sealed, owner), kept(id, deployment))
      }),
      { numRuns: 100 }
    )
  })

  it("never open for another owner, or with another secret", () => {
    fc.assert(
      fc.property(ids, owners, owners, fc.string({ minLength: 16 }), (id, owner, other, secret) => {
        const sealed = sealer.seal(kept(id), owner)
        if (other !== owner) assert.isUndefined(sealer.open(sealed, other))
        assert.isUndefined(SealedIds.make(secret).open(sealed, owner))
      }),
      { numRuns: 100 }
    )
  })

  it("never open once one character of them is another", () => {
    const sealed = sealer.seal(kept("resp_0123456789abcdef"), "key a")
    for (let at = 0; at < sealed.length; at++) {
      for (const other of ["A", "b", "-", "9"]) {
        if (sealed[at] === other) continue
        const tampered = sealed.slice(0, at) + other + sealed.slice(at + 1)
        assert.isUndefined(sealer.open(tampered, "key a"), tampered)
      }
    }
    for (const changed of [sealed.slice(0, -1), `${sealed}A`, sealed.replace("resp_", "file-"), `${sealed}=`]) {
      assert.isUndefined(sealer.open(changed, "key a"), changed)
    }
  })

  it("are the same for the same object, by whichever process that has the secret, and different for each owner", () => {
    const id = kept("file-0123456789")
    const again = SealedIds.make("a secret of some length")
    assert.strictEqual(sealer.seal(id, "key a"), again.seal(id, "key a"))
    const all = ["", "master", "key a", "key b"].map((owner) => sealer.seal(id, owner))
    assert.strictEqual(new Set(all).size, all.length)
    assert.notStrictEqual(sealer.seal(id, ""), sealer.seal(kept("file-0123456789", "us"), ""))
  })

  it("of a gateway behind this one are sealed once more, and opened one by one", () => {
    const behind = SealedIds.make("the secret of another gateway")
    const inner = behind.seal(kept("resp_0123456789"), "key us")
    const outer = sealer.seal(kept(inner), "key a")
    assert.strictEqual(sealer.open(outer, "key a")?.id, inner)
    assert.isUndefined(behind.open(outer, "key us"))
  })

  it("are not made of what is too long, or no id", () => {
    for (const id of ["", "chat", "no prefix", `resp_${"a".repeat(2000)}`]) {
      assert.strictEqual(sealer.seal(kept(id), ""), id)
    }
    assert.isFalse(SealedIds.isSealed("resp_68a0b1c2d3e4f5"))
    assert.isUndefined(sealer.open(`resp_sy1_${"A".repeat(100_000)}`, ""))
  })

  it("without a secret are known to the process that made them alone", () => {
    const mine = SealedIds.make(undefined)
    const sealed = mine.seal(kept("resp_0123456789"), "")
    assert.strictEqual(mine.open(sealed, "")?.id, "resp_0123456789")
    assert.isUndefined(SealedIds.make(undefined).open(sealed, ""))
  })
})
