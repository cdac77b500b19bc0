import * as Trace from "@switchyard/simulator/Trace"
import { Either } from "effect"
import { describe, expect, it } from "vitest"

const read = (text: string) => Either.getOrThrowWith(Trace.parse(text), ({ message }) => new Error(message))
const problems = (text: string, options: Trace.TraceOptions = {}) =>
  Either.match(Trace.parse(text, options), {
    onLeft: ({ issues }) => issues.map(({ path }) => path),
    onRight: () => []
  })

describe("Trace", () => {
  it("reads the columns of the public Azure traces", () => {
    const text =
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
    expect(read(text)).toMatchObject([
      { at: 0, inputTokens: 374, outputTokens: 44, stream: true },
      { at: expect.closeTo(4314.579, 2) as number, inputTokens: 396, outputTokens: 109 }
    ])
  })

  it("reads a gateway's log: lines of requests alone, from their begin and in its order", () => {
    const line = (more: object) =>
      JSON.stringify({ level: "info", event: "request", stream: true, model: "smart", outcome: "success", ...more })
    const text = [
      line({ time: "2026-11-24T10:00:05.000Z", latency_ms: 1000, input_tokens: 10, output_tokens: 5 }),
      line({ time: "2026-11-24T10:00:06.000Z", latency_ms: 5000, input_tokens: 20, output_tokens: 50, stream: false }),
      line({ time: "2026-11-24T10:00:06.000Z", latency_ms: 1, outcome: "refused" }),
      JSON.stringify({ time: "2026-11-24T10:00:06.000Z", event: "cooldown", deployment: "a" })
    ].join("\n")
    expect(read(text)).toMatchObject([
      { at: 0, model: "smart", inputTokens: 20, outputTokens: 50, stream: false },
      { at: 3000, inputTokens: 10 }
    ])
  })

  it("reads a log that stands behind what the process said as it began, and tells later lines that are none", () => {
    const greeting =
      "switchyard listens on http://127.0.0.1:4000 (4 deployments, 2 groups)\n\n  curl -d '{\"model\": 1}'\n"
    const line =
      '{"time":"2026-11-24T10:00:05.000Z","event":"request","latency_ms":1,"input_tokens":1,"output_tokens":5}'
    expect(read(`${greeting}${line}\n`)).toMatchObject([{ at: 0, inputTokens: 1, outputTokens: 5 }])
    expect(problems(`${greeting}${line}\nstopped\n`)).toEqual(["trace:5"])
  })

  it("reads a ledger's export, the newest first: what a prompt cache served is of the prompt, reasoning of the answer", () => {
    const head =
      "time,model,stream,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,reasoning_tokens,outcome,latency_ms,session"
    const text = `${head}\n2026-11-24T10:00:09.000Z,m,true,5,0,0,7,0,success,90,\n2026-11-24T10:00:00.000Z,"m",false,100,40,2,7,3,success,90,abc\n`
    expect(read(text)).toMatchObject([
      { at: 0, model: "m", inputTokens: 142, outputTokens: 10, session: "abc", stream: false },
      { at: 9000, inputTokens: 5, session: undefined, stream: true }
    ])
  })

  it("tells every problem at once: no numbers, what is out of order, holes", () => {
    const text = [
      "time,inputTokens,outputTokens",
      "1700000000,1,1",
      "1700000001,many,-1",
      "1699999999,1,1",
      "1700090000,1,1",
      "x"
    ].join("\n")
    expect(problems(text, { name: "t.csv" })).toEqual([
      "t.csv:3.inputTokens",
      "t.csv:3.outputTokens",
      "t.csv:4.time",
      "t.csv:5.time",
      "t.csv:6"
    ])
    const late = "time,inputTokens\n1700000000,1\n1700003000,many\n1700006000,1\n1700005000,few"
    expect(problems(late, { name: "t.csv" })).toEqual(["t.csv:3.inputTokens", "t.csv:5.time", "t.csv:5.inputTokens"])
    expect(problems("")).toEqual(["trace"])
    expect(problems('{"time":1,"inputTokens":1}\n{nonsense')).toEqual(["trace:2"])
  })

  it("tells twenty problems, and how many more there are", () => {
    const text = ["time,inputTokens", ...Array.from({ length: 30 }, () => "never,1")].join("\n")
    expect(problems(text)).toHaveLength(21)
  })

  it("tells of a line with a cell too many, but not of a comma at its end, nor of a byte order mark and carriage returns", () => {
    const head = "\ufefftime,model,inputTokens,outputTokens\r\n"
    expect(problems(`${head}1,m,10,5,\r\n2,"a, b",10,5\r\n3,a, b,10,5\r\n`)).toEqual(["trace:4"])
  })
})
