/** Which C library this process has. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { loaderOf, withShortReport } from "../../../src/store/sqlite/cLibrary.js"

const glibc = "ld-linux-x86-64.so.2"
const musl = "ld-musl-x86_64.so.1"

const full = { header: { nodejsVersion: process.version } }
const reporting = () => ({ getReport: (): object => full })

describe("the C library of a process", () => {
  it("is told by the loader that the program names", () => {
    const folder = mkdtempSync(join(tmpdir(), "switchyard-loader-"))
    try {
      const named = (text: string) => {
        const file = join(folder, "program")
        writeFileSync(file, text, "latin1")
        return loaderOf(file)
      }
      assert.strictEqual(named(`\x7fELF\x02\x01\0\0/lib64/${glibc}\0more`), glibc)
      assert.strictEqual(named(`\x7fELF\x02\x01\0\0/lib/${musl}\0more`), musl)
      assert.isEmpty(named("\x7fELF\x02\x01\0\0a program that is linked as a whole"))
      assert.isEmpty(named(`#!/bin/sh\nexec ${glibc} node\n`))
      assert.isEmpty(loaderOf(join(folder, "nothing")))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("is all that a report says while a package is loaded, in the words in which those look for it", () => {
    const report = reporting()
    const asked = (loader: string) => withShortReport(() => report.getReport(), report, loader)
    assert.nestedProperty(asked(glibc), "header.glibcVersionRuntime")
    assert.notNestedProperty(asked(musl), "header.glibcVersionRuntime")
    assert.deepInclude(asked(musl), { sharedObjects: [musl] })
    assert.strictEqual(report.getReport(), full)
  })

  it("is Node's to say where the program names no loader, and once the package has failed", () => {
    const report = reporting()
    assert.strictEqual(
      withShortReport(() => report.getReport(), report, ""),
      full
    )
    assert.throws(() => withShortReport(() => assert.fail("no binary"), report, glibc), "no binary")
    assert.strictEqual(report.getReport(), full)
  })

  it("is the same by a short report as by Node's own", () => {
    const isGlibc = (): boolean => {
      const { header } = process.report.getReport() as { readonly header: object }
      return "glibcVersionRuntime" in header
    }
    assert.strictEqual(withShortReport(isGlibc), isGlibc())
  })
})
